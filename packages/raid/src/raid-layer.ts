import {
  CevError,
  LayerBase,
  Op,
  SIZE_MAX,
  checkLimits,
  combineLimits,
  combineSupport,
  refuse,
} from "@cev/core";
import type { Environment, Io, LayerDescription, Limits, Problem, Support } from "@cev/core";
import { flushMembers } from "./array/flush.ts";
import type { MemberBitmap } from "./metadata/member-scan.ts";
import type { MemberDevice } from "./array/member.ts";
import { MetadataKeeper } from "./array/metadata-keeper.ts";
import type { Personality } from "./array/personality.ts";
import { sync } from "./array/sync.ts";
import type { SyncProgress } from "./array/sync.ts";
import type { Geometry } from "./levels/level.ts";
import { levelOf } from "./levels/levels.ts";
import { ParityEngine } from "./parity/parity-engine.ts";
import { RunningArray } from "./array/running-array.ts";
import type { StripeLayout } from "./levels/stripe.ts";
import type { Superblock } from "./metadata/superblock.ts";
import { unsyncedRanges } from "./array/unsynced-ranges.ts";

const SECTOR = 512;

/** What a `RaidLayer` is made of: an assembled array. */
export interface RaidLayerOptions {
  readonly environment: Environment;
  /** By member index; null where a member is missing. At most one is. */
  readonly devices: readonly (MemberDevice | null)[];
  readonly layout: StripeLayout;
  /** The newest superblock. */
  readonly superblock: Superblock;
  /** The newest bitmap, where the array has one. */
  readonly bitmap: MemberBitmap | null;
  /** Nothing is written, not one byte. */
  readonly isReadOnly: boolean;
  /** With a member missing: the parity is believed although the array was not shut down cleanly. */
  readonly isForced: boolean;
  /** Members that fail while the array is in use. */
  readonly report?: (problem: Problem) => void;
  /** Called while the parity is made right on open. */
  readonly onResync?: (progress: SyncProgress) => void;
}

/** A RAID5 array over its members: stripes of one chunk from each, one of them parity. */
export class RaidLayer extends LayerBase {
  readonly name: string;
  readonly limits: Limits;
  readonly support: Support;
  /** The array at work, for those who show its state. */
  readonly array: RunningArray;
  readonly #options: RaidLayerOptions;
  // It was not shut down cleanly, and nothing was done about that yet.
  #isUnclean: boolean;
  // Lives as long as the layer: event counts go on where they were when it is opened again.
  readonly #keeper: MetadataKeeper;
  /** How its requests are served. */
  readonly personality: Personality;

  constructor(options: RaidLayerOptions) {
    const { devices, superblock, bitmap, environment } = options;
    const present = devices.filter((device) => device !== null);
    super(present.map((device) => device.layer));
    const unsynced =
      options.isForced && present.length < devices.length ? [] : unsyncedRanges(superblock, bitmap);
    const geometry = geometryOf(superblock);
    const level = levelOf(superblock.level)!;
    this.name = level.name;
    this.array = new RunningArray({ name: this.name, environment, level, geometry, devices, unsynced });
    this.personality = new ParityEngine(this.array);
    this.#isUnclean = superblock.resyncSectors !== null;
    const report = options.report ?? (() => undefined);
    this.#keeper = new MetadataKeeper({ array: this.array, superblock, bitmap, report });
    this.#options = options;
    this.limits = limitsOf(present, superblock, this.personality);
    this.support = supportOf(
      this.lowers.map((lower) => lower.support),
      options.isReadOnly,
    );
  }

  /** Claims the members. After an unclean stop, with all members there, the parity is made right first. */
  override async open(): Promise<void> {
    await super.open();
    if (this.support.write === "none") return;
    this.array.keeper = this.#keeper;
    try {
      if (this.#isUnclean) await this.#resync();
    } catch (error) {
      this.array.keeper = null;
      this.releaseLowers();
      throw error;
    }
  }

  submit(io: Io): void {
    switch (io.op) {
      case Op.read:
        return this.personality.submit(io);
      case Op.write:
        if (this.array.keeper === null) return refuse(io, this);
        return this.personality.submit(io);
      case Op.flush:
        if (this.array.keeper === null) return refuse(io, this);
        return flushMembers(this.array, io);
      default:
        return refuse(io, this);
    }
  }

  /** Marks the array clean and gives the members back. */
  override async close(): Promise<void> {
    try {
      await this.array.keeper?.end();
    } finally {
      this.array.keeper = null;
      await super.close();
    }
  }

  describe(): LayerDescription {
    const { superblock, isForced } = this.#options;
    return {
      driver: "@cev/raid",
      options: { uuid: superblock.arrayUuid, ...(isForced ? { force: true } : {}) },
      lowers: this.lowers.map((lower) => lower.describe()),
    };
  }

  async #resync(): Promise<void> {
    const { array } = this;
    if (array.lostCount > 0) {
      if (array.unsynced.length === 0) return;
      throw new CevError(
        "CEV_DEGRADED",
        "the array is degraded and was not shut down cleanly: what was being written then cannot be reconstructed",
        { layer: this.name, hint: "open it read-only, or with the option force to accept what it holds" },
      );
    }
    await this.#keeper.begin();
    await sync(this.personality, array.unsynced, "resync", this.#options.onResync ?? (() => undefined));
    await this.#keeper.end();
    array.unsynced = [];
    this.#isUnclean = false;
  }
}

function geometryOf(superblock: Superblock): Geometry {
  const { level, layout, chunkSectors, memberCount, sizeSectors } = superblock;
  const memberSizes = new Array<number>(memberCount).fill(sizeSectors * SECTOR);
  return { level, layout, chunkSize: chunkSectors * SECTOR, memberCount, memberSizes };
}

function limitsOf(
  devices: readonly MemberDevice[],
  superblock: Superblock,
  personality: Personality,
): Limits {
  const { size, ioLengthPreferred } = personality;
  const { chunkSectors } = superblock;
  const combined = combineLimits(
    size,
    devices.map((device) => device.layer.limits),
  );
  for (const { name, layer, superblock: own } of devices) {
    const { logicalBlockSize } = layer.limits;
    const places = [own.dataOffsetSectors, own.superOffsetSectors, own.bitmapOffsetSectors, chunkSectors];
    if (places.every((sectors) => (sectors * SECTOR) % logicalBlockSize === 0)) continue;
    throw new CevError(
      "CEV_INVALID",
      `${name} has blocks of ${logicalBlockSize} bytes, to which the array is not aligned`,
      { source: name, hint: "put the image on a device of smaller blocks" },
    );
  }
  return checkLimits({ ...combined, ioLengthMax: SIZE_MAX, ioLengthPreferred });
}

function supportOf(members: readonly Support[], isReadOnly: boolean): Support {
  const { read, write, flush, fua } = combineSupport(members);
  if (isReadOnly || write === "none")
    return { read, write: "none", flush: "none", discard: "none", writeZeroes: "none", fua: "none" };
  return { read, write, flush, fua, discard: "none", writeZeroes: "none" };
}
