import { EmulationLayer, SIZE_MAX, SplitLayer } from "@cev/core";
import type { Layer, SubmitTarget } from "@cev/core";
import type { Superblock } from "../metadata/superblock.ts";
import { insertRange, overlaps, removeRange } from "./unsynced-ranges.ts";
import type { ByteRange } from "./unsynced-ranges.ts";

const SECTOR = 512;

/** A device that is part of an array. */
export interface MemberDevice {
  /** What the user calls it. */
  readonly name: string;
  readonly layer: Layer;
  readonly superblock: Superblock;
  /** What its log of bad blocks says, in bytes of its data, in rising order: never read. */
  readonly badBlocks?: readonly ByteRange[];
}

/**
 * `in sync`: it holds what it should. `rebuilding`: it does below `recoveredTo`, and takes all writes. `failed`: it
 * did until it failed here. `missing`: there is no device.
 */
export type MemberState = "in sync" | "rebuilding" | "failed" | "missing";

/** One place in an array, with the device that fills it, if any. */
export class Member {
  /** Its role: counts from 0. */
  readonly index: number;
  #device: MemberDevice | null = null;
  #state: MemberState = "missing";
  #target: SubmitTarget;
  #dataStart = 0;
  #badBlocks: readonly ByteRange[] = [];
  /** While it is rebuilt: so many bytes of its data hold what they should. */
  recoveredTo = 0;
  /** While it is rebuilt: it was part of the array before, and lacks only what the bitmap marks. */
  isByBitmap = false;

  constructor(index: number, device: MemberDevice | null) {
    this.index = index;
    this.#target = missingTarget(index);
    if (device !== null) this.fill(device, null);
  }

  /** What the user calls its device. */
  get name(): string {
    return this.#device?.name ?? `active device ${this.index}`;
  }

  get device(): MemberDevice | null {
    return this.#device;
  }

  get state(): MemberState {
    return this.#state;
  }

  /** Where its requests go. */
  get target(): SubmitTarget {
    return this.#target;
  }

  /** Where the array's data begins on it, in bytes. */
  get dataStart(): number {
    return this.#dataStart;
  }

  /** Of the member, not of its data: a range that cannot be read does not change it. */
  get isInSync(): boolean {
    return this.#state === "in sync";
  }

  get isRebuilding(): boolean {
    return this.#state === "rebuilding";
  }

  /** Writes must reach it: it is in sync, or will be. */
  get takesWrites(): boolean {
    return this.#state === "in sync" || this.#state === "rebuilding";
  }

  /** Ranges of its data that are not to be read, in rising order. */
  get badBlocks(): readonly ByteRange[] {
    return this.#badBlocks;
  }

  /** True where what it holds may be read, as far as its own state goes. In bytes of its data. */
  canRead(start: number, end: number): boolean {
    if (this.#state !== "in sync" && !(this.#state === "rebuilding" && end <= this.recoveredTo)) return false;
    return this.#badBlocks.length === 0 || !overlaps(this.#badBlocks, start, end);
  }

  /** From now on this range of its data is not read. */
  addBadBlock(start: number, end: number): void {
    this.#badBlocks = insertRange(this.#badBlocks, { start, end });
  }

  /** This range of its data was written, and can be read again. */
  clearBadBlock(start: number, end: number): void {
    if (!overlaps(this.#badBlocks, start, end)) return;
    const left = [...this.#badBlocks];
    removeRange(left, start, end);
    this.#badBlocks = left;
  }

  /** A device takes this place. `recoveredTo`: how far it holds what it should; null: all of it. */
  fill(device: MemberDevice, recoveredTo: number | null, isByBitmap = false): void {
    this.#device = device;
    this.#state = recoveredTo === null ? "in sync" : "rebuilding";
    this.recoveredTo = recoveredTo ?? 0;
    this.isByBitmap = isByBitmap;
    this.#dataStart = device.superblock.dataOffsetSectors * SECTOR;
    this.#badBlocks = device.badBlocks ?? [];
    // What the array offers was settled by those that were there first: a late one does it in other ways.
    const { layer } = device;
    const target =
      recoveredTo !== null && EmulationLayer.isUsefulOver(layer) ? new EmulationLayer(layer) : layer;
    // What lies together is sent as one, in chunked levels too: rebuilds, and a zone of one member, go on behind the end of a chunk.
    this.#target = target.limits.ioLengthMax < SIZE_MAX ? new SplitLayer(target) : target;
  }

  /** The same device, with another size. */
  resize(device: MemberDevice): void {
    this.#device = device;
  }

  /** It has been rebuilt to its end. */
  recovered(): void {
    this.#state = "in sync";
    this.isByBitmap = false;
  }

  /** It takes no further part. */
  fail(): void {
    this.#state = "failed";
  }

  /** Its device is taken out. */
  clear(): void {
    this.#device = null;
    this.#state = "missing";
    this.#target = missingTarget(this.index);
    this.#badBlocks = [];
  }
}

function missingTarget(index: number): SubmitTarget {
  const name = `active device ${index}`;
  return {
    name,
    submit(io) {
      io.fail("CEV_DEVICE_LOST", `${name} is missing`, name);
    },
  };
}
