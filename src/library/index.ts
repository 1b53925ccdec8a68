/**
 * The library: containers and images from a program, by the executable.
 *
 *     import { build, pull, run, validate } from "tsrunc";
 */
export type * from "../config/types.ts";
export type { Container, ContainerInfo, ContainerState, ExecOptions, ImageContainer, LogOptions } from "./container.ts";
export { TsruncError, type TsruncErrorCode } from "./error.ts";
export { type CommonOptions, findExecutable } from "./executable.ts";
export {
  type BuildOptions,
  type BuildSecret,
  type BuiltImage,
  build,
  type Digest,
  type ImageInfo,
  type ImportOptions,
  importImage,
  inspectImage,
  type PulledImage,
  type PullOptions,
  pull,
} from "./image.ts";
export type { ContainerProcess, Exit, ForwardedSignal, Output, StreamOptions } from "./process.ts";
export type { BuildEvent, TransferEvent } from "./progress.ts";
export type { RegistryOptions } from "./registry.ts";
export { openContainer, run } from "./run.ts";
export type { BundleRunOptions, ImageRunOptions, Limits, Volume } from "./run-options.ts";
export { type Problem, type ValidateOptions, type Validation, validate } from "./validate.ts";
