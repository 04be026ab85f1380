/** Files of a bundle: fetched, checked, and kept on the device. */
export { CACHE_BUDGET_BYTES, cacheSize, clearCache } from './cache';
export { type Expected, fetchCounts, type FetchOptions, fetchVerified } from './fetch_verified';
export { sha256 } from './hash';
export { absoluteUrl, fetchText } from './request';
