export { Random } from "./random.ts";
export { SimulatedWorld } from "./simulated-world.ts";
export type { SimulatedWorldOptions } from "./simulated-world.ts";
export { ModelDevice } from "./model-device.ts";
export { firstDifference, hashOf } from "./bytes.ts";

export { InterruptedLayer } from "./layers/interrupted-layer.ts";
export { MemoryLayer } from "./layers/memory-layer.ts";
export type { CompletionMode, MemoryLayerOptions, RequestRecord } from "./layers/memory-layer.ts";
export { AsyncNoOpLayer, NoOpLayer } from "./layers/no-op-layer.ts";
export { StatisticsLayer } from "./layers/statistics-layer.ts";
export type { LayerStatistics, OpCounts, OpStatistics } from "./layers/statistics-layer.ts";
export type { RequestRule } from "./layers/request-rule.ts";
export { FaultLayer } from "./layers/fault-layer.ts";
export type { Fault, FaultRule } from "./layers/fault-layer.ts";
export { CorruptionLayer } from "./layers/corruption-layer.ts";
export type {
  Corruption,
  CorruptionOptions,
  CorruptionRecord,
  CorruptionRule,
} from "./layers/corruption-layer.ts";
export { ThrottleLayer } from "./layers/throttle-layer.ts";
export type { ThrottleLimits, ThrottleOptions } from "./layers/throttle-layer.ts";
export { PauseLayer } from "./layers/pause-layer.ts";
export { CheckingLayer } from "./layers/checking-layer.ts";
export type { CheckingLayerOptions } from "./layers/checking-layer.ts";
export { PowerCutLayer, cutPower } from "./layers/power-cut-layer.ts";
export type { PowerCutOptions } from "./layers/power-cut-layer.ts";
export { RecordLayer } from "./record/record-layer.ts";
export type { RecordOptions } from "./record/record-layer.ts";
export { MemorySink } from "./record/memory-sink.ts";
export { LogWritesSink } from "./record/log-writes-sink.ts";
export type { LogWritesOptions } from "./record/log-writes-sink.ts";
export { WriteLog } from "./record/write-log.ts";
export { replayRecording } from "./record/replay.ts";
export type { ReplayOptions } from "./record/replay.ts";
export { cutsOf } from "./record/cuts-of.ts";
export type { CutsOptions, RecordedCut } from "./record/cuts-of.ts";
export type { RecordSink, RecordStep, RecordedRequest, Recording } from "./record/recorded.ts";
export { VolatileCacheLayer } from "./layers/volatile-cache-layer.ts";
export type { CutReport, VolatileCacheOptions } from "./layers/volatile-cache-layer.ts";
export { CutRecorder } from "./model/cut-recorder.ts";
export type { CutRecorderOptions, CutState } from "./model/cut-recorder.ts";
export { DurabilityModel } from "./model/durability-model.ts";
export type { BegunWrite } from "./model/durability-model.ts";
export type { CachePolicy } from "./model/volatile-cache.ts";

export { conformanceOf, testLayer } from "./conformance/suite.ts";
export type { TestRunner } from "./conformance/suite.ts";
export { drawSubjects, pairsOf, subjectsOf, testTable } from "./conformance/table.ts";
export type { ConformanceTable } from "./conformance/table.ts";
export { THEMES } from "./conformance/subject.ts";
export type {
  Check,
  Conformance,
  LowerOptions,
  Manifest,
  ResizeManifest,
  SkippedCheck,
  Subject,
  TestBench,
  Theme,
} from "./conformance/subject.ts";
export { reopenWith } from "./conformance/reopen-with.ts";
export type { ReopenExtra } from "./conformance/reopen-with.ts";

export { campaign, replay, runOfSeed } from "./simulator/campaign.ts";
export type { CampaignOptions, ReplayResult, SimulationFailure } from "./simulator/campaign.ts";
export { keepText, kept, parseKeep } from "./simulator/keep.ts";
export type { Keep } from "./simulator/keep.ts";
export { noOpKind } from "./simulator/kinds.ts";
export type {
  Chore,
  ChoreSite,
  KindPlan,
  SimulationKind,
  SimulationSite,
  SimulationTraits,
} from "./simulator/kind.ts";
export { stackText } from "./simulator/plan.ts";
export type { DiskPlan, LayerPlan, PlanNode, StackPlan } from "./simulator/plan.ts";
export { SIMULATION_VERSION, replayLine, simulationVersion } from "./simulator/replay-line.ts";
export type { Replay, SeedRun } from "./simulator/replay-line.ts";
export { emptyReport, mergeReports, reportTable } from "./simulator/report.ts";
export type { CampaignReport, KindSums } from "./simulator/report.ts";
export { simulate } from "./simulator/run.ts";
export type { SimulationResult } from "./simulator/result.ts";
export { drawScript } from "./simulator/script.ts";
export type { CutPolicy, CutStep, Load, PlannedChore, PlannedRequest, Step } from "./simulator/step.ts";
export { encodeStack, parseStack } from "./simulator/stack-notation.ts";
export { shrink } from "./simulator/shrink.ts";
export type { Shrinkable } from "./simulator/shrink.ts";
