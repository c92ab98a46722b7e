export { INTERFACE_VERSION, INTERFACE_VERSIONS, interfaceIssue } from "./interface-version.ts";
export { LayerBase, closeTree, openTree } from "./layer.ts";
export type { Json, Layer, LayerDescription } from "./layer.ts";
export { Device, adapt } from "./device.ts";
export { extentsOf, knowsExtents } from "./extents/extents-of.ts";
export type { ExtentsOptions } from "./extents/extents-of.ts";
export type { Extent } from "./extents/merge.ts";
export { runAsBelow, runOf } from "./extents/run.ts";
export type { Run, RunContent, RunPlace } from "./extents/run.ts";
export type { ExtentsReport } from "./extents/walk.ts";
export type { CallOptions, Chunk, ChunksOptions, DeviceOptions, WriteOptions } from "./device.ts";
export { Environment, environmentFrom } from "./environment.ts";
export type { Clock, EnvironmentOptions, GlobalScope, Timer, WallClock } from "./environment.ts";

export { Io, IoFlag, IoPool, Op, ioError, opName, refuse } from "./io.ts";
export { Completion, EventState, stateName } from "./completion.ts";
export type { CancelTarget } from "./completion.ts";
export { WaitQueue } from "./wait-queue.ts";
export type { Action, WaitEntry, WaitQueueOptions } from "./wait-queue.ts";
export { RunQueue } from "./run-queue.ts";
export type { RunQueueOptions } from "./run-queue.ts";
export { CompoundEvent, all, any, atLeast } from "./compound-event.ts";
export type { EventCollation } from "./compound-event.ts";
export { CompoundIo, CompoundIoPool, SubIo } from "./compound-io.ts";
export type { Collation, SubmitTarget } from "./compound-io.ts";
export { allMustSucceed, concatenate, firstAnswer, quorum } from "./collations.ts";
export { CancelScope } from "./cancel-scope.ts";
export type { AbortSignalLike } from "./cancel-scope.ts";
export { leadsTo, partOf, statusOf, subEventsOf } from "./status.ts";
export type { ActionStatus, EventStatus, PartStatus } from "./status.ts";

export { SIZE_MAX, checkLimits, combineLimits, plainLimits } from "./limits.ts";
export type { Limits } from "./limits.ts";
export { FULL_SUPPORT, READ_ONLY_SUPPORT, combineSupport, narrowSupport, supportOf } from "./support.ts";
export type { Support, SupportLevel } from "./support.ts";
export { Claims } from "./claims.ts";
export type { Claim, ClaimMode, Claimant } from "./claims.ts";
export { AsyncLayer } from "./async-layer.ts";
export type { AsyncHandler, Next } from "./async-layer.ts";
export { BlockLayer } from "./adapters/block-layer.ts";
export { EmulationLayer } from "./adapters/emulation-layer.ts";
export { SplitLayer } from "./adapters/split-layer.ts";
export { crc32c } from "./crc32c.ts";
export { SegmentLayer } from "./segments/segment-layer.ts";
export type { SegmentOptions } from "./segments/segment-layer.ts";
export { SegmentMap } from "./segments/segment-map.ts";
export type { MappedArea, MappedSegment } from "./segments/segment-map.ts";
export { Burst } from "./burst.ts";
export type { BurstUser } from "./burst.ts";
export { JointLayer } from "./joint/joint-layer.ts";
export type { JointSwap, JointWatcher, QuiesceOptions, QuiesceStep } from "./joint/joint-layer.ts";
export type { JointCounts, OpCounts } from "./joint/counts.ts";
export { RangeLock } from "./range-lock.ts";
export type { RangeLockEntry } from "./range-lock.ts";
export { readBytes, request, writeBytes } from "./request.ts";
export type { RequestTarget } from "./request.ts";
export { BufferPool, PoolBuffer, Slab } from "./buffer-pool.ts";
export type { BufferPoolOptions, Kernel } from "./buffer-pool.ts";
export type { WasmExports, WasmMemory, WasmModule } from "./web-assembly.ts";

export type {
  Details,
  Driver,
  Finding,
  KeyQuestion,
  KeySource,
  KeyVault,
  NamedLayer,
  OpenContext,
  OpenWithRequest,
  OpenedDevice,
  Problem,
  StandardResult,
  StandardSchema,
} from "./driver.ts";
export {
  CevError,
  ERROR_CODES,
  IoError,
  MetadataError,
  ProgramError,
  assert,
  formatError,
  isCevError,
} from "./errors.ts";
export type { ErrorCode, ErrorCodeEntry, ErrorPlace } from "./errors.ts";
