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
import { ChunkReader } from "./parity/chunk-reader.ts";
import { flushMembers } from "./array/flush.ts";
import type { MemberBitmap } from "./metadata/member-scan.ts";
import type { MemberDevice } from "./array/member.ts";
import { MetadataKeeper } from "./array/metadata-keeper.ts";
import { resync } from "./parity/resync.ts";
import type { ResyncProgress } from "./parity/resync.ts";
import { RunningArray } from "./array/running-array.ts";
import { StripeWriter } from "./parity/stripe-writer.ts";
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
  readonly onResync?: (progress: ResyncProgress) => void;
}

/** A RAID5 array over its members: stripes of one chunk from each, one of them parity. */
export class RaidLayer extends LayerBase {
  readonly name = "raid5";
  readonly limits: Limits;
  readonly support: Support;
  /** The array at work, for those who show its state. */
  readonly array: RunningArray;
  readonly #options: RaidLayerOptions;
  // It was not shut down cleanly, and nothing was done about that yet.
  #isUnclean: boolean;
  // Lives as long as the layer: event counts go on where they were when it is opened again.
  readonly #keeper: MetadataKeeper;
  readonly #reader: ChunkReader;
  readonly #writer: StripeWriter;

  constructor(options: RaidLayerOptions) {
    const { devices, layout, superblock, bitmap, environment } = options;
    const present = devices.filter((device) => device !== null);
    super(present.map((device) => device.layer));
    const chunkSize = superblock.chunkSectors * SECTOR;
    const unsynced =
      options.isForced && present.length < devices.length ? [] : unsyncedRanges(superblock, bitmap);
    this.array = new RunningArray({ name: this.name, environment, devices, layout, chunkSize, unsynced });
    this.#isUnclean = superblock.resyncSectors !== null;
    const report = options.report ?? (() => undefined);
    this.#keeper = new MetadataKeeper({ array: this.array, superblock, bitmap, report });
    this.#options = options;
    this.limits = limitsOf(present, superblock, this.array.map.stripeSize);
    this.support = supportOf(
      this.lowers.map((lower) => lower.support),
      options.isReadOnly,
    );
    this.#reader = new ChunkReader(this.array);
    this.#writer = new StripeWriter(this.array);
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
        return this.#reader.read(io);
      case Op.write:
        if (this.array.keeper === null) return refuse(io, this);
        return this.#writer.write(io);
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
    await resync(array, array.unsynced, this.#options.onResync ?? (() => undefined));
    await this.#keeper.end();
    array.unsynced = [];
    this.#isUnclean = false;
  }
}

function limitsOf(devices: readonly MemberDevice[], superblock: Superblock, stripeSize: number): Limits {
  const chunkSectors = superblock.chunkSectors;
  const memberSectors = superblock.sizeSectors - (superblock.sizeSectors % chunkSectors);
  const size = memberSectors * SECTOR * (superblock.memberCount - 1);
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
  return checkLimits({ ...combined, ioLengthMax: SIZE_MAX, ioLengthPreferred: stripeSize });
}

function supportOf(members: readonly Support[], isReadOnly: boolean): Support {
  const { read, write, flush, fua } = combineSupport(members);
  if (isReadOnly || write === "none")
    return { read, write: "none", flush: "none", discard: "none", writeZeroes: "none", fua: "none" };
  return { read, write, flush, fua, discard: "none", writeZeroes: "none" };
}
