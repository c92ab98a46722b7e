import {
  CevError,
  CompoundIoPool,
  LayerBase,
  Op,
  READ_ONLY_SUPPORT,
  SIZE_MAX,
  SplitLayer,
  adapt,
  allMustSucceed,
  combineLimits,
  combineSupport,
  concatenate,
  refuse,
  request,
  runAsBelow,
  supportOf,
} from "@cev/core";
import type {
  Claim,
  ClaimMode,
  Environment,
  Io,
  Json,
  Layer,
  LayerDescription,
  Limits,
  Run,
  Support,
} from "@cev/core";
import { chunkExtents } from "./chunk-extents.ts";
import { Move, runLength } from "./chunk-runs.ts";
import { initialiseStore } from "./initialise-store.ts";
import { Origin } from "./origin.ts";
import type { SnapshotSetting } from "./options.ts";
import { readStore } from "./read-store.ts";
import { Snapshot } from "./snapshot.ts";
import type { SnapshotOptions } from "./snapshot.ts";
import type { StoreTarget } from "./store-target.ts";

/** One snapshot of an origin, as it was found. */
export interface SnapshotPlan {
  readonly setting: SnapshotSetting;
  /** What the user calls the store. */
  readonly source: string;
  readonly store: Layer;
  /** "damaged": nothing may be written to the origin, since the snapshot could not keep what was there. */
  readonly state: "valid" | "invalid" | "damaged";
  /** Bytes. */
  readonly chunkSize: number;
}

/** What an `OriginLayer` is made of. */
export interface OriginLayerOptions {
  readonly environment: Environment;
  readonly origin: Layer;
  /** In the order of the options. */
  readonly plans: readonly SnapshotPlan[];
  readonly isReadOnly: boolean;
  readonly onInvalid: SnapshotOptions["onInvalid"];
}

/**
 * The origin: its own device while it is open, and what all its snapshots stand on. Before anything of it is overwritten, each snapshot
 * gets what it held. A snapshot that is being merged into it is seen through it.
 */
export class OriginLayer extends LayerBase {
  readonly name = "snapshot-origin";
  readonly limits: Limits;
  readonly support: Support;
  readonly #options: OriginLayerOptions;
  readonly #target: StoreTarget;
  readonly #compounds: CompoundIoPool = new CompoundIoPool(this);
  readonly #moves: Move[] = [];
  readonly #claims: Claim[] = [];
  readonly #stores: ReadonlyMap<SnapshotPlan, StoreTarget>;
  #origin: Origin | null = null;
  #snapshots: ReadonlyMap<SnapshotPlan, Snapshot> = new Map();
  #merging: Snapshot | null = null;

  constructor(options: OriginLayerOptions) {
    const { origin, plans, environment } = options;
    super([origin, ...plans.map(({ store }) => store)]);
    this.#options = options;
    this.#target = origin;
    this.#stores = new Map(
      plans.map((plan) => [plan, adapt(plan.store, environment, plan.store.limits.logicalBlockSize)]),
    );
    const merging = plans.find((plan) => plan.setting.isMerging && plan.state === "valid");
    const mergingStore = merging === undefined ? null : this.#stores.get(merging)!;
    const targets: StoreTarget[] = mergingStore === null ? [origin] : [origin, mergingStore];
    this.limits = combineLimits(
      origin.limits.size,
      targets.map(({ limits }) => limits),
    );
    const support = combineSupport(targets.map((target) => target.support));
    const canWrite = !this.#isReadOnly && support.write !== "none" && plans.every(canPreserve);
    this.support = canWrite
      ? { ...support, discard: merging === undefined ? support.discard : "none" }
      : READ_ONLY_SUPPORT;
  }

  get #isReadOnly(): boolean {
    return this.#options.isReadOnly;
  }

  /** For its snapshots, while it is open. */
  get origin(): Origin {
    return this.#origin!;
  }

  /** What it was made of. */
  get originDevice(): Layer {
    return this.#options.origin;
  }

  /** How a snapshot is reached. */
  storeOf(plan: SnapshotPlan): StoreTarget {
    return this.#stores.get(plan)!;
  }

  /** A snapshot at work, while this is open; null: it is of no use. */
  snapshotOf(plan: SnapshotPlan): Snapshot | null {
    return this.#snapshots.get(plan) ?? null;
  }

  /** Whether a snapshot can be written. */
  isWritable({ store, state }: SnapshotPlan): boolean {
    return !this.#isReadOnly && state === "valid" && store.support.write !== "none";
  }

  /** Claims origin and stores, reads the exceptions, and makes new stores where they are blank. */
  override async open(): Promise<void> {
    await Promise.resolve();
    const { origin, plans } = this.#options;
    try {
      this.#claim(origin, this.support.write === "none" ? "read" : "write");
      for (const plan of plans) this.#claim(plan.store, this.isWritable(plan) ? "write" : "read");
      await this.#openSnapshots();
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
        if (this.#merging === null) return this.#target.submit(io);
        return this.#merged(io, this.#merging);
      case Op.write:
      case Op.writeZeroes:
        if (supportOf(this.support, io.op) === "none") return refuse(io, this);
        if (this.#merging === null) return this.origin.write(io);
        return this.#merged(io, this.#merging);
      case Op.discard:
        if (this.support.discard === "none") return refuse(io, this);
        return this.#discard(io);
      case Op.flush:
        if (this.support.flush === "none") return refuse(io, this);
        if (this.#merging === null) return this.#target.submit(io);
        return this.#flushBoth(io, this.#merging);
      default:
        return refuse(io, this);
    }
  }

  /** Its own device, but for what is to be merged and lies in the store. */
  runs(offset: number, length: number, countMax: number): readonly Run[] {
    const { origin, plans } = this.#options;
    const merging = this.#merging;
    if (merging === null) return runAsBelow(origin, offset, length);
    const { store } = plans.find((plan) => this.#snapshots.get(plan) === merging)!;
    return chunkExtents(merging, { origin, store }, { offset, length, countMax });
  }

  override async close(): Promise<void> {
    // Exceptions of what is being merged are cleared by whoever merges it: as they were here, they must not come back.
    for (const [plan, snapshot] of this.#snapshots)
      if (snapshot !== this.#merging && snapshot.isValid && this.isWritable(plan))
        await snapshot.commits.settle();
    this.#release();
    this.#snapshots = new Map();
    this.#merging = null;
    this.#origin = null;
  }

  describe(): LayerDescription {
    const { origin, plans } = this.#options;
    return {
      driver: "@cev/snapshot",
      options: {
        snapshots: plans.map(({ setting, chunkSize }): Json => {
          const { name, size, isMerging } = setting;
          return { name, chunkSize, size: size ?? origin.limits.size, isMerging };
        }),
      },
      lowers: this.lowers.map((lower) => lower.describe()),
    };
  }

  #claim(lower: Layer, mode: ClaimMode): void {
    this.#claims.push(lower.claims.acquire(this, mode, lower.name));
  }

  #release(): void {
    for (const claim of this.#claims.splice(0)) claim.release();
  }

  async #openSnapshots(): Promise<void> {
    const { environment, origin, plans, onInvalid } = this.#options;
    const snapshots = new Map<SnapshotPlan, Snapshot>();
    for (const plan of plans) {
      if (plan.state !== "valid") continue;
      const { source, setting, chunkSize } = plan;
      const store = this.storeOf(plan);
      // What is read now has to be what a power cut would leave: of a chunk that counts as kept nothing more is kept.
      if (this.isWritable(plan) && store.support.flush !== "none")
        await request(store, environment, Op.flush, 0, 0);
      const contents = await readStore({ environment, source, store, origin, chunkSize });
      if (contents.state === "invalid" || contents.layout.chunkSize !== chunkSize) throw changed(source);
      if (contents.state === "blank" && this.isWritable(plan))
        await initialiseStore(environment, store, chunkSize);
      const size = setting.size ?? origin.limits.size;
      const snapshot = new Snapshot({ environment, name: setting.name, store, contents, size, onInvalid });
      snapshots.set(plan, snapshot);
      if (setting.isMerging) this.#merging = snapshot;
    }
    this.#snapshots = snapshots;
    this.#origin = new Origin(environment, this.name, {
      target: this.#target,
      reads: origin.limits.ioLengthMax < SIZE_MAX ? new SplitLayer(origin) : origin,
      snapshots: [...snapshots.values()].filter((snapshot) => snapshot !== this.#merging),
    });
  }

  /** What is to be merged lies in the store, and is read and written there until it has been. */
  #merged(io: Io, merging: Snapshot): void {
    const { chunkSize } = merging.layout;
    const chunk = Math.floor(io.offset / chunkSize);
    const newChunk = merging.table.get(chunk);
    if (runLength(merging, io.offset, io.length, newChunk) < io.length) return this.#split(io, merging);
    if (newChunk >= 0) {
      Move.to(this.#moves, io, (newChunk - chunk) * chunkSize);
      merging.store.submit(io);
    } else if (io.op === Op.read) {
      this.#target.submit(io);
    } else {
      this.origin.write(io);
    }
  }

  #split(io: Io, merging: Snapshot): void {
    const hasData = io.op !== Op.writeZeroes;
    const compound = this.#compounds.over(io, concatenate);
    for (let at = 0; at < io.length;) {
      const newChunk = merging.table.get(Math.floor((io.offset + at) / merging.layout.chunkSize));
      const length = runLength(merging, io.offset + at, io.length - at, newChunk);
      compound.add(this, io.op, io.offset + at, length, io.data, hasData ? io.dataOffset + at : 0, io.flags);
      at += length;
    }
    compound.submit();
  }

  /** Goes down where all snapshots have what the range held; elsewhere nothing is freed, which a discard allows. */
  #discard(io: Io): void {
    const { origin } = this;
    if (origin.isBeingRead(io.offset, io.length)) return io.complete();
    if (origin.isPreserved(io.offset, io.length)) return this.#target.submit(io);
    const compound = this.#compounds.over(io, concatenate);
    const end = io.offset + io.length;
    let start = io.offset;
    const add = (until: number): void => {
      if (until > start) compound.add(this.#target, Op.discard, start, until - start, null, 0, io.flags);
    };
    for (let at = io.offset; at < end;) {
      const run = origin.preservedRun(at, end);
      if (!run.isPreserved) {
        add(at);
        start = run.end;
      }
      at = run.end;
    }
    add(end);
    compound.submit();
  }

  #flushBoth(io: Io, merging: Snapshot): void {
    const compound = this.#compounds.over(io, allMustSucceed);
    compound.add(this.#target, Op.flush, 0, 0, null, 0, io.flags);
    compound.add(merging.store, Op.flush, 0, 0, null, 0, io.flags);
    compound.submit();
  }
}

/** What an overwrite of the origin takes from it can be kept, or need not be. */
function canPreserve({ setting, state, store }: SnapshotPlan): boolean {
  if (state === "invalid") return true;
  return state === "valid" && (setting.isMerging || store.support.write !== "none");
}

function changed(source: string): CevError {
  return new CevError("CEV_BUSY", `${source} has been changed since it was looked at`, {
    source,
    hint: "open it again, and see that nobody else uses it",
  });
}
