import { CevError, LayerBase, Op, refuse, supportOf } from "@cev/core";
import type {
  Details,
  Environment,
  Io,
  Layer,
  LayerDescription,
  Limits,
  Problem,
  Run,
  Support,
} from "@cev/core";
import { arraySupport, geometryOf, limitsOf } from "./array/array-limits.ts";
import { BackgroundSync } from "./array/background-sync.ts";
import type { SyncAction, SyncProgress } from "./array/sync-work.ts";
import type { Rebuilding } from "./assemble/assemble.ts";
import { engineOf } from "./array/engine.ts";
import { flushMembers } from "./array/flush.ts";
import { growMembers, growSize } from "./array/grow.ts";
import type { GrowSizeOptions } from "./array/grow.ts";
import type { MemberDevice } from "./array/member.ts";
import { Membership } from "./array/membership.ts";
import { MetadataKeeper } from "./array/metadata-keeper.ts";
import type { Personality } from "./array/personality.ts";
import { RequestGate } from "./array/request-gate.ts";
import { RunningArray } from "./array/running-array.ts";
import type { SpeedLimits } from "./array/speed-limit.ts";
import { unsyncedRanges } from "./array/unsynced-ranges.ts";
import { levelOf } from "./levels/levels.ts";
import type { MemberBitmap } from "./metadata/member-scan.ts";
import { FeatureFlag } from "./metadata/superblock-features.ts";
import type { Superblock } from "./metadata/superblock.ts";

/** What a `RaidLayer` is made of: an assembled array. */
export interface RaidLayerOptions {
  readonly environment: Environment;
  /** By member index; null where a member is missing. */
  readonly devices: readonly (MemberDevice | null)[];
  /** By member index, how far one that is being rebuilt has come, in bytes of its data; null or left out: it is in sync. */
  readonly recoveredTo?: readonly (number | null)[];
  /** By member index: what it lacks is what the bitmap marks. */
  readonly byBitmap?: readonly boolean[];
  /** Devices without a place, ready to step in. */
  readonly spares?: readonly MemberDevice[];
  /** Devices for empty places, of which the superblocks do not know yet: they are rebuilt. */
  readonly returning?: readonly Rebuilding<MemberDevice>[];
  /** The newest superblock. */
  readonly superblock: Superblock;
  /** The newest bitmap, where the array has one. */
  readonly bitmap: MemberBitmap | null;
  /** The device of a write journal that was read when the array was put together: nobody else may write it meanwhile. */
  readonly journal?: Layer | null;
  /** Nothing is written, not one byte. */
  readonly isReadOnly: boolean;
  /** With a member missing: the redundancy is believed although the array was not shut down cleanly. */
  readonly isForced: boolean;
  /** The options that open it again, where they are not those of an array found by its UUID. */
  readonly stackOptions?: Details;
  readonly speedLimit?: SpeedLimits;
  /** Members that fail while the array is in use, and background work that cannot go on. */
  readonly report?: (problem: Problem) => void;
  /** Called as background work gets on. */
  readonly onProgress?: (progress: SyncProgress) => void;
}

/**
 * An array over its members, of any level. While it is open for writing, spares step in, what is not whole is rebuilt
 * or resynced in the background, and members come and go.
 */
export class RaidLayer extends LayerBase {
  readonly name: string;
  readonly support: Support;
  /** The array at work, for those who show its state. */
  readonly array: RunningArray;
  readonly #options: RaidLayerOptions;
  // Lives as long as the layer: event counts go on where they were when it is opened again.
  readonly #keeper: MetadataKeeper;
  readonly #gate: RequestGate;
  readonly #sync: BackgroundSync;
  readonly #membership: Membership;
  #personality: Personality;
  #limits: Limits;

  constructor(options: RaidLayerOptions) {
    const { devices, superblock, bitmap, environment, spares = [], returning = [], journal = null } = options;
    const late = returning.map(({ member }) => member);
    const present = [...devices.filter((device) => device !== null), ...spares, ...late];
    super([...present.map((device) => device.layer), ...(journal === null ? [] : [journal])]);
    const level = levelOf(superblock.level);
    if (level === null) throw new CevError("CEV_INVALID", `there is no RAID level ${superblock.level}`);
    const isForced = options.isForced && devices.includes(null);
    const array = new RunningArray({
      name: level.name,
      environment,
      level,
      geometry: geometryOf(superblock, devices),
      devices,
      recoveredTo: options.recoveredTo ?? [],
      byBitmap: options.byBitmap ?? [],
      spares,
      unsynced: isForced || !level.isRedundant ? [] : unsyncedRanges(superblock, bitmap),
    });
    const report = options.report ?? (() => undefined);
    this.name = level.name;
    this.array = array;
    this.#options = options;
    this.#personality = engineOf(array);
    this.#keeper = new MetadataKeeper({ array, superblock, bitmap, report });
    this.#gate = new RequestGate(level.name, (io) => this.#serve(io));
    this.#sync = new BackgroundSync({
      array,
      keeper: this.#keeper,
      gate: this.#gate,
      personality: () => this.#personality,
      speedLimit: options.speedLimit ?? {},
      report,
      onProgress: options.onProgress ?? (() => undefined),
    });
    this.#membership = new Membership({
      array,
      keeper: this.#keeper,
      gate: this.#gate,
      sync: this.#sync,
      addLower: (layer) => this.addLower(layer, "write"),
      removeLower: (layer) => this.removeLower(layer),
    });
    this.#limits = limitsOf(present, this.#personality, level.family === "parity");
    this.support = arraySupport(present, this.#personality, options.isReadOnly);
  }

  /** Its size changes when the array grows; whoever has opened it before keeps the old one. */
  get limits(): Limits {
    return this.#limits;
  }

  /** How its requests are served. */
  get personality(): Personality {
    return this.#personality;
  }

  /** What the superblocks say, as they were written last. */
  get eventCount(): bigint {
    return this.#keeper.eventCount;
  }

  /** The superblocks say that writes may be under way. */
  get isActive(): boolean {
    return this.#keeper.isActive;
  }

  /** The newest superblock as far as it belongs to the array, with what has changed since it was opened. */
  get superblock(): Superblock {
    return this.#keeper.base;
  }

  /** How many bits of the bitmap are set; null: there is none. */
  get markedCount(): number | null {
    return this.#keeper.intents?.markedCount() ?? null;
  }

  /** Claims the members; what is to be rebuilt or resynced is begun in the background. */
  override async open(): Promise<void> {
    await super.open();
    if (this.support.write === "none") return;
    this.array.keeper = this.#keeper;
    try {
      await this.#keeper.start();
      await this.#takeBack();
    } catch (error) {
      this.array.keeper = null;
      this.releaseLowers();
      throw error;
    }
    this.array.onFailure = () => this.#sync.memberFailed();
    this.#sync.start();
  }

  /** As members are that are added again: the superblocks know of them before anything is written to them. */
  async #takeBack(): Promise<void> {
    const { array } = this;
    const places = (this.#options.returning ?? []).filter(
      ({ index }) => array.members[index]?.device === null,
    );
    if (places.length === 0) return;
    await this.#keeper.leaveBehind();
    for (const { index, member, byBitmap } of places)
      array.fillMember(array.members[index]!, member, 0, byBitmap);
    this.#keeper.rewriteBitmap();
    await this.#keeper.update();
  }

  submit(io: Io): void {
    this.#gate.enter(io);
  }

  /** Where a read that begins now is served from. */
  runs(offset: number, length: number, countMax: number): readonly Run[] {
    return this.#personality.runs(offset, length, countMax);
  }

  /** Ends background work, records how far it has come, marks the array clean and gives the members back. */
  override async close(): Promise<void> {
    try {
      // What is being changed is changed to its end.
      await this.#membership.inTurn(() => Promise.resolve());
      await this.#sync.stop();
      if (this.array.keeper !== null) await this.#keeper.end();
    } finally {
      this.array.keeper = null;
      this.array.onFailure = null;
      await super.close();
    }
  }

  describe(): LayerDescription {
    const { superblock, isForced, stackOptions } = this.#options;
    const { level, layout, features, arrayUuid } = superblock;
    // A RAID0 whose superblocks do not say how it is laid out, and which was told.
    const isTold = level === 0 && layout !== 0 && (features & FeatureFlag.raid0Layout) === 0;
    return {
      driver: "@cev/raid",
      options: {
        ...(stackOptions ?? { uuid: arrayUuid }),
        ...(isForced ? { force: true } : {}),
        ...(isTold ? { layout: layout === 1 ? "original" : "alternate" } : {}),
      },
      lowers: this.lowers.map((lower) => lower.describe()),
    };
  }

  /** What goes on in the background. */
  get action(): SyncAction {
    return this.#sync.action;
  }

  /** How far it has come; null: nothing goes on. */
  get progress(): SyncProgress | null {
    return this.#sync.progress;
  }

  /** What did not match in the last check or repair, in bytes; null: there was none. */
  get mismatchedBytes(): number | null {
    return this.#sync.mismatchedBytes;
  }

  get isPaused(): boolean {
    return this.#sync.isPaused;
  }

  /** Resolves once nothing goes on in the background and nothing is due. Rejects with what ended the last rebuild or resync. */
  idle(): Promise<void> {
    return this.#sync.idle();
  }

  /** Counts the bytes whose copies or parity do not match. Rejects with `CEV_CANCELLED` where it is not ended. */
  async check(): Promise<number> {
    this.#refuseReadOnly();
    return this.#sync.request("check");
  }

  /** The same, and makes them match. */
  async repair(): Promise<number> {
    this.#refuseReadOnly();
    return this.#sync.request("repair");
  }

  /** Background work waits where it is, until `resumeSync`. */
  pauseSync(): void {
    this.#sync.pause();
  }

  resumeSync(): void {
    this.#sync.resume();
  }

  /** Ends what is under way: a check or repair for good, a rebuild or resync until the array is changed, resumed or opened again. */
  cancelSync(): Promise<void> {
    return this.#sync.cancel();
  }

  setSpeedLimit(limits: SpeedLimits): void {
    this.#sync.setSpeedLimit(limits);
  }

  /**
   * Fails a member, by its index or its name; also a spare. Throws `CEV_DEGRADED` where the array cannot do without it.
   * Resolves once the superblocks of the others say so.
   */
  async failMember(which: string | number): Promise<void> {
    this.#refuseReadOnly();
    await this.#membership.fail(which);
  }

  /** Takes out a device that has failed, or a spare. Throws `CEV_BUSY` for one that is in use. */
  async removeMember(which: string | number): Promise<void> {
    this.#refuseReadOnly();
    await this.#membership.remove(which);
  }

  /**
   * Adds a device as a spare, with a new superblock: it steps in where a member is missing, or has failed. The layer is
   * opened, and closed with the others. Resolves once that is recorded; `idle` waits for the rebuild.
   */
  async addMember(layer: Layer, name: string = layer.name): Promise<void> {
    this.#refuseReadOnly();
    await this.#membership.add(layer, name);
  }

  /** Brings back a device that was a member: only what it missed, by the bitmap, is copied. Throws `CEV_INVALID` where that cannot be. */
  async reAddMember(layer: Layer, name: string = layer.name): Promise<void> {
    this.#refuseReadOnly();
    await this.#membership.reAdd(layer, name);
  }

  /** RAID1 only: so many members from now on. Those that are new are missing until devices are added. */
  async growMembers(memberCount: number): Promise<void> {
    this.#refuseReadOnly();
    await this.#membership.inTurn(() => growMembers(this.#growth(), memberCount));
  }

  /** Each member gives so many bytes from now on, or all that the smallest has. */
  async growSize(size: number | "max", options: GrowSizeOptions = {}): Promise<void> {
    this.#refuseReadOnly();
    await this.#membership.inTurn(() => growSize(this.#growth(), size, options));
  }

  #serve(io: Io): void {
    switch (io.op) {
      case Op.read:
        return this.#personality.submit(io);
      case Op.write:
        if (this.array.keeper === null) return refuse(io, this);
        return this.#personality.submit(io);
      case Op.discard:
      case Op.writeZeroes:
        if (this.array.keeper === null || supportOf(this.support, io.op) === "none") return refuse(io, this);
        return this.#personality.submit(io);
      case Op.flush:
        if (this.array.keeper === null) return refuse(io, this);
        return flushMembers(this.array, io);
      default:
        return refuse(io, this);
    }
  }

  #growth(): Parameters<typeof growSize>[0] {
    return {
      array: this.array,
      keeper: this.#keeper,
      gate: this.#gate,
      sync: this.#sync,
      reshaped: () => {
        this.#personality = engineOf(this.array);
        const devices = this.array.members.flatMap(({ device }) => (device === null ? [] : [device]));
        this.#limits = limitsOf(devices, this.#personality, this.array.level.family === "parity");
      },
    };
  }

  #refuseReadOnly(): void {
    if (this.array.keeper !== null) return;
    throw new CevError("CEV_READ_ONLY", "the array is not open for writing", {
      layer: this.name,
      hint: "open it for writing; a degraded one needs the option degraded",
    });
  }
}
