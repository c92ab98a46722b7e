import { CevError, CompoundIoPool } from "@cev/core";
import type { BufferPool, Environment } from "@cev/core";
import { readFailureOf } from "./failure.ts";
import { Member } from "./member.ts";
import type { MemberDevice } from "./member.ts";
import type { MetadataKeeper } from "./metadata-keeper.ts";
import { StripeLocks } from "../parity/stripe-locks.ts";
import { StripeMap } from "../levels/stripe.ts";
import type { StripeLayout } from "../levels/stripe.ts";
import { isWithin } from "./unsynced-ranges.ts";
import type { MemberRange } from "./unsynced-ranges.ts";

// Stripes are worked on in slices: long enough for large requests to the members, short enough that few
// buffers are lent at any time.
const SLICE_LENGTH_MAX = 262_144;
const SLICE_LENGTH_MIN = 4096;

/** Bytes of one member that are given up together where something cannot be read: a page, as in md. */
export const PIECE_LENGTH = 4096;

/** What a `RunningArray` is made of. */
export interface RunningArrayOptions {
  /** Of the layer, for errors and for those who watch. */
  readonly name: string;
  readonly environment: Environment;
  /** By member index; null where a member is missing. */
  readonly devices: readonly (MemberDevice | null)[];
  readonly layout: StripeLayout;
  /** Bytes. */
  readonly chunkSize: number;
  /** Where the parity may be wrong. */
  readonly unsynced: readonly MemberRange[];
}

/** An array at work: its members and what the parts of the layer share. */
export class RunningArray {
  readonly name: string;
  readonly environment: Environment;
  readonly buffers: BufferPool;
  readonly map: StripeMap;
  readonly members: readonly Member[];
  readonly locks: StripeLocks = new StripeLocks();
  readonly compounds: CompoundIoPool = new CompoundIoPool(this);
  /** Bytes of one member that are worked on at once. */
  readonly sliceLengthMax: number;
  /** Where the parity may be wrong; nothing is reconstructed there. */
  unsynced: readonly MemberRange[];
  /** Keeps superblocks and bitmap while the array may be written; null: nothing is written. */
  keeper: MetadataKeeper | null = null;
  #isStopped = false;

  constructor(options: RunningArrayOptions) {
    const { devices, chunkSize, layout, environment } = options;
    this.name = options.name;
    this.environment = environment;
    this.buffers = environment.buffers;
    this.map = new StripeMap({ layout, chunkSize, memberCount: devices.length });
    this.members = devices.map((device, index) => new Member(index, device, chunkSize));
    const share = 2 ** Math.floor(Math.log2(this.buffers.bufferLengthMax / devices.length));
    if (share < SLICE_LENGTH_MIN) {
      const message = `the buffer pool's slabs are too small for stripes of ${devices.length} members`;
      throw new CevError("CEV_NO_MEMORY", message, { layer: this.name });
    }
    this.sliceLengthMax = Math.min(SLICE_LENGTH_MAX, chunkSize, share);
    this.unsynced = options.unsynced;
  }

  /** How many members are missing or have failed. */
  get lostCount(): number {
    let count = 0;
    for (const member of this.members) if (!member.isInSync) count++;
    return count;
  }

  /** Nothing more may be written: more is gone than the parity makes up for. */
  get isBroken(): boolean {
    return this.#isStopped || this.lostCount > 1;
  }

  /** What could not be read may be written back. */
  get canRepair(): boolean {
    return this.keeper !== null && !this.isBroken;
  }

  /** True where the range at `offset` of the array, on this member, follows from the other members. */
  canReconstruct(offset: number, memberIndex: number): boolean {
    for (const member of this.members) if (!member.isInSync && member.index !== memberIndex) return false;
    return this.unsynced.length === 0 || !isWithin(this.unsynced, this.map.memberOffsetOf(offset));
  }

  /**
   * The member takes no further part. Its superblock stays as it is; those of the others will say so. Where another one
   * is gone already, only a member that is lost follows it: one that failed a write can still be read, so the array
   * takes no more writes instead. `range`: of the members' data, half written now.
   */
  failMember(member: Member, cause: CevError, range: MemberRange | null = null): void {
    if (!member.isInSync) return;
    const isLast = this.lostCount > 0;
    if (isLast && readFailureOf(cause) !== "lost") {
      if (range !== null) this.unsynced = [...this.unsynced, range];
      if (this.#isStopped) return;
      this.#isStopped = true;
    } else {
      member.isInSync = false;
    }
    this.keeper?.memberFailed(member, cause);
  }
}
