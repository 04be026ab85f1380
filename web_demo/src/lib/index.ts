/** The library without the element: bundles, generators, and numpy's random numbers. */
export { GanExportError, type ErrorCode } from './errors';
export {
  fetchManifest,
  type GenerateOptions,
  type Generator,
  openBundle,
  type OpenOptions,
  type Progress,
} from './generator';
export { type Label, labelIndex } from './latents';
export type { Manifest } from './manifest';
export { type Pictures, toImageData } from './pixels';
export { RandomState } from './random_state';
export { isBroken } from './runtimes/broken';
export { candidates, type RuntimeName, runtimeNames, runtimesFor } from './runtimes/registry';
export * from './toolbox';
export { type CaseResult, type Verification, verifyBundle } from './verify';
