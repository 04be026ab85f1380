/** The library without the element: bundles, generators, and numpy's random numbers. */
export type * from './api';
export { GanExportError, type ErrorCode } from './errors';
export type { Picture } from './fit';
export { fetchManifest, openBundle } from './generator';
export { labelIndex } from './latents';
export { CACHE_BUDGET_BYTES, cacheSize, clearCache } from './loading';
export type { Manifest } from './manifest';
export { type Pictures, toImageData } from './pixels';
export { RandomState } from './random_state';
export { isBroken } from './runtimes/broken';
export { candidates, type RuntimeName, runtimeNames, runtimesFor } from './runtimes/registry';
export { type Share, shareBundle, type ShareOptions } from './shared';
export type { Tensor } from './tensor';
export * from './toolbox';
export { type CaseResult, type Verification, verifyBundle } from './verify';
