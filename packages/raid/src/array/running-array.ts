import { CompoundIoPool } from "@cev/core";
import type { BufferPool, CevError, Environment } from "@cev/core";
import type { Geometry, Level } from "../levels/level.ts";
import { readFailureOf } from "./failure.ts";
import { Member } from "./member.ts";
import type { MemberDevice } from "./member.ts";
import type { MetadataKeeper } from "./metadata-keeper.ts";
import { overlaps } from "./unsynced-ranges.ts";
import type { ByteRange } from "./unsynced-ranges.ts";

/** Bytes of one member that are given up together where something cannot be read: a page, as in md. */
export const PIECE_LENGTH = 4096;

/** What a `RunningArray` is made of. */
export interface RunningArrayOptions {
  /** Of the layer, for errors and for those who watch. */
  readonly name: string;
  readonly environment: Environment;
  readonly level: Level;
  readonly geometry: Geometry;
  /** By member index; null where a member is missing. */
  readonly devices: readonly (MemberDevice | null)[];
  /** By member index, how far one that is being rebuilt has come, in bytes of its data; null or left out: it is in sync. */
  readonly recoveredTo?: readonly (number | null)[];
  /** Where the redundancy may be wrong, in sync space. */
  readonly unsynced: readonly ByteRange[];
}

/** An array at work: its members and what all parts of the layer share. */
export class RunningArray {
  readonly name: string;
  readonly environment: Environment;
  readonly buffers: BufferPool;
  readonly level: Level;
  readonly geometry: Geometry;
  readonly members: readonly Member[];
  readonly compounds: CompoundIoPool = new CompoundIoPool(this);
  /** Where the redundancy may be wrong, in sync space; nothing is reconstructed there. */
  unsynced: readonly ByteRange[];
  /** Keeps superblocks and bitmap while the array may be written; null: nothing is written. */
  keeper: MetadataKeeper | null = null;
  #isStopped = false;

  constructor(options: RunningArrayOptions) {
    const { devices, environment, geometry, recoveredTo } = options;
    this.name = options.name;
    this.environment = environment;
    this.buffers = environment.buffers;
    this.level = options.level;
    this.geometry = geometry;
    const ioLengthMax = geometry.chunkSize === 0 ? Number.MAX_SAFE_INTEGER : geometry.chunkSize;
    this.members = devices.map((device, index) => {
      const member = new Member(index, device, ioLengthMax);
      const position = recoveredTo?.[index] ?? null;
      if (device !== null && position !== null) member.fill(device, position);
      return member;
    });
    this.unsynced = options.unsynced;
  }

  /** How many members are not in sync: missing, failed, or being rebuilt. */
  get lostCount(): number {
    let count = 0;
    for (const member of this.members) if (!member.isInSync) count++;
    return count;
  }

  /** Nothing more may be written: more is gone than the redundancy makes up for. */
  get isBroken(): boolean {
    return this.#isStopped || !this.#survives(null);
  }

  /** What could not be read may be written back. */
  get canRepair(): boolean {
    return this.keeper !== null && !this.isBroken;
  }

  /** True where every byte could still be had without this member too. */
  canLose(member: Member): boolean {
    return this.#survives(member);
  }

  /** True where the redundancy may be wrong in some part of a range of sync space. */
  isUnsynced(start: number, end: number): boolean {
    return this.unsynced.length > 0 && overlaps(this.unsynced, start, end);
  }

  /**
   * The member takes no further part. Its superblock stays as it is; those of the others will say so. Where the array
   * cannot do without it, only a member that is lost goes: one that failed a write can still be read, so the array
   * takes no more writes instead. `range`: of sync space, half written now.
   */
  failMember(member: Member, cause: CevError, range: ByteRange | null = null): void {
    if (!member.takesWrites) return;
    if (member.isInSync && !this.canLose(member) && readFailureOf(cause) !== "lost") {
      if (range !== null) this.unsynced = [...this.unsynced, range];
      if (this.#isStopped) return;
      this.#isStopped = true;
    } else {
      member.fail();
    }
    this.keeper?.memberFailed(member, cause);
  }

  #survives(without: Member | null): boolean {
    const { members } = this;
    return this.level.survives(
      this.geometry,
      (index) => members[index]!.isInSync && members[index] !== without,
    );
  }
}
