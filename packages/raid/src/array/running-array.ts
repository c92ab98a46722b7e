import { CompoundIoPool } from "@cev/core";
import type { BufferPool, CevError, Environment } from "@cev/core";
import type { Geometry, Level } from "../levels/level.ts";
import { readFailureOf } from "./failure.ts";
import { Member } from "./member.ts";
import type { MemberDevice } from "./member.ts";
import { hasNative } from "./member-support.ts";
import type { MetadataKeeper } from "./metadata-keeper.ts";
import { insertRange, overlaps, removeRange } from "./unsynced-ranges.ts";
import type { ByteRange } from "./unsynced-ranges.ts";

/** Bytes of one member that are given up together where something cannot be read: a page, as in md. */
export const PIECE_LENGTH = 4096;
const UNSYNCED_RANGES_MAX = 1024;

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
  /** By member index: it is rebuilt by what the bitmap marks. */
  readonly byBitmap?: readonly boolean[];
  /** Devices without a place, ready to step in. */
  readonly spares?: readonly MemberDevice[];
  /** Where the redundancy may be wrong, in sync space. */
  readonly unsynced: readonly ByteRange[];
}

/** An array at work: its members and what all parts of the layer share. */
export class RunningArray {
  readonly name: string;
  readonly environment: Environment;
  readonly buffers: BufferPool;
  readonly level: Level;
  readonly compounds: CompoundIoPool = new CompoundIoPool(this);
  /**
   * What the devices do by themselves that were there at the beginning: what the array offers. Those that come later do it
   * in other ways.
   */
  readonly native: { readonly discard: boolean; readonly writeZeroes: boolean };
  /** Keeps superblocks and bitmap while the array may be written; null: nothing is written. */
  keeper: MetadataKeeper | null = null;
  /** Called when a member has failed, for those who react to it. */
  onFailure: (() => void) | null = null;
  #geometry: Geometry;
  readonly #members: Member[];
  #spares: readonly MemberDevice[];
  #faulty: readonly MemberDevice[] = [];
  #unsynced: ByteRange[];
  #lostCount = 0;
  #isEnough = true;
  #isStopped = false;

  constructor(options: RunningArrayOptions) {
    const { devices, environment, geometry, recoveredTo, byBitmap } = options;
    this.name = options.name;
    this.environment = environment;
    this.buffers = environment.buffers;
    this.level = options.level;
    this.#geometry = geometry;
    this.#members = devices.map((device, index) => {
      const member = new Member(index, device);
      const position = recoveredTo?.[index] ?? null;
      if (device !== null && position !== null) member.fill(device, position, byBitmap?.[index] === true);
      return member;
    });
    this.native = {
      discard: hasNative(this.#members, "discard"),
      writeZeroes: hasNative(this.#members, "writeZeroes"),
    };
    this.#spares = [...(options.spares ?? [])];
    this.#unsynced = [...options.unsynced];
    this.#count();
  }

  get geometry(): Geometry {
    return this.#geometry;
  }

  /** By member index. */
  get members(): readonly Member[] {
    return this.#members;
  }

  /** Devices without a place, ready to step in. */
  get spares(): readonly MemberDevice[] {
    return this.#spares;
  }

  /** Devices that have failed and have no place any more. */
  get faulty(): readonly MemberDevice[] {
    return this.#faulty;
  }

  /** Where the redundancy may be wrong, in sync space, in rising order; nothing is reconstructed there. */
  get unsynced(): readonly ByteRange[] {
    return this.#unsynced;
  }

  /** How many members are not in sync: missing, failed, or being rebuilt. */
  get lostCount(): number {
    return this.#lostCount;
  }

  /** Nothing more may be written: more is gone than the redundancy makes up for. */
  get isBroken(): boolean {
    return this.#isStopped || !this.#isEnough;
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
    return this.#unsynced.length > 0 && overlaps(this.#unsynced, start, end);
  }

  /** The redundancy is right in this range of sync space. */
  synced(start: number, end: number): void {
    removeRange(this.#unsynced, start, end);
  }

  /**
   * A write has made the redundancy right in this range of sync space. Not all are kept account of: what is scattered too much
   * is left to the resync.
   */
  syncedByWrite(start: number, end: number): void {
    if (this.#unsynced.length > 0 && this.#unsynced.length < UNSYNCED_RANGES_MAX)
      removeRange(this.#unsynced, start, end);
  }

  /** The redundancy may be wrong in this range of sync space. */
  unsync(range: ByteRange): void {
    this.#unsynced = insertRange(this.#unsynced, range);
  }

  /**
   * The member takes no further part. Its superblock stays as it is; those of the others will say so. Where the array
   * cannot do without it, only a member that is lost goes: one that failed a write can still be read, so the array
   * takes no more writes instead. `range`: of sync space, half written now.
   */
  failMember(member: Member, cause: CevError, range: ByteRange | null = null): void {
    if (!member.takesWrites) return;
    if (member.isInSync && !this.canLose(member) && readFailureOf(cause) !== "lost") {
      if (range !== null) this.unsync(range);
      if (this.#isStopped) return;
      this.#isStopped = true;
    } else {
      member.fail();
      this.#count();
    }
    this.keeper?.memberFailed(member, cause);
    this.onFailure?.();
  }

  /** A spare has failed: it stays, as a device that has. */
  failSpare(spare: MemberDevice, cause: CevError): void {
    if (!this.#spares.includes(spare)) return;
    this.#spares = this.#spares.filter((other) => other !== spare);
    this.#faulty = [...this.#faulty, spare];
    this.keeper?.spareFailed(spare, cause);
    this.onFailure?.();
  }

  addSpare(device: MemberDevice): void {
    this.#spares = [...this.#spares, device];
  }

  /** Takes a device that has no place out of the array. */
  dropDevice(device: MemberDevice): void {
    this.#spares = this.#spares.filter((other) => other !== device);
    this.#faulty = this.#faulty.filter((other) => other !== device);
  }

  /**
   * A device takes the place of a member that is missing or has failed, and is rebuilt from now on. No request may be
   * under way.
   */
  fillMember(member: Member, device: MemberDevice, recoveredTo: number, isByBitmap: boolean): void {
    this.clearMember(member, true);
    this.#spares = this.#spares.filter((other) => other !== device);
    member.fill(device, recoveredTo, isByBitmap);
    this.#count();
  }

  /** The device of a member that has failed loses its place. No request may be under way. `isKept`: it stays in the array. */
  clearMember(member: Member, isKept: boolean): void {
    const { device } = member;
    if (device === null) return;
    if (isKept) this.#faulty = [...this.#faulty, device];
    member.clear();
    this.#count();
  }

  /** A member has been rebuilt to its end. */
  memberRecovered(member: Member): void {
    member.recovered();
    this.#count();
  }

  /** A member has room for so many sectors of data. No request may be under way. */
  resizeMember(member: Member, dataSizeSectors: number): void {
    const { device } = member;
    if (device === null || device.superblock.dataSizeSectors === dataSizeSectors) return;
    member.resize({ ...device, superblock: { ...device.superblock, dataSizeSectors } });
  }

  /** The array has another shape. No request may be under way, and the engine is made anew. */
  reshape(geometry: Geometry): void {
    const members = this.#members;
    this.#geometry = geometry;
    while (members.length > geometry.memberCount) members.pop();
    while (members.length < geometry.memberCount) members.push(new Member(members.length, null));
    this.#count();
  }

  #count(): void {
    this.#lostCount = this.#members.reduce((count, member) => count + (member.isInSync ? 0 : 1), 0);
    this.#isEnough = this.#lostCount === 0 || this.#survives(null);
  }

  #survives(without: Member | null): boolean {
    const members = this.#members;
    return this.level.survives(
      this.#geometry,
      (index) => members[index]!.isInSync && members[index] !== without,
    );
  }
}
