import { CevError, Op, isCevError, request, writeBytes } from "@cev/core";
import type { Layer } from "@cev/core";
import { encodeBadBlocks } from "../metadata/bad-blocks.ts";
import { encodeSuperblock } from "../metadata/superblock.ts";
import type { Superblock } from "../metadata/superblock.ts";
import type { Member, MemberDevice } from "./member.ts";
import type { RunningArray } from "./running-array.ts";
import type { ByteRange } from "./unsynced-ranges.ts";
import { INTENT_BLOCK } from "./write-intents.ts";
import type { WriteIntents } from "./write-intents.ts";

const SECTOR = 512;

/** A member with the device that it has when something is written to it. */
interface Target {
  readonly member: Member;
  readonly device: MemberDevice;
}

/** Puts metadata onto the devices of an array, all at once; those where that fails are failed. */
export class MetadataWriter {
  readonly #array: RunningArray;
  /** Bad blocks as the log of each device has them. */
  readonly #logged = new Map<MemberDevice, readonly ByteRange[]>();
  /** Devices of members that are in sync by all superblocks. */
  #knownInSync: ReadonlySet<Layer>;

  constructor(array: RunningArray) {
    this.#array = array;
    for (const { device, badBlocks } of array.members)
      if (device !== null) this.#logged.set(device, badBlocks);
    const inSync = array.members.filter((member) => member.isInSync);
    this.#knownInSync = new Set(inSync.map(({ device }) => device!.layer));
  }

  /** Makes durable what the members hold. */
  async flush(): Promise<void> {
    await this.#each(this.#targets(), async ({ device: { layer } }) => {
      if (layer.support.flush !== "none") await request(layer, this.#array.environment, Op.flush, 0, 0);
    });
  }

  /** Writes these blocks of the bitmap to all members. */
  async writeBitmap(intents: WriteIntents, blocks: readonly number[]): Promise<void> {
    if (blocks.length === 0) return;
    const contents = blocks.map((index) => ({ at: index * INTENT_BLOCK, bytes: intents.block(index) }));
    await this.#each(this.#targets(), async ({ device: { layer, superblock } }) => {
      const { superOffsetSectors, bitmapOffsetSectors } = superblock;
      const start = (superOffsetSectors + bitmapOffsetSectors) * SECTOR;
      for (const { at, bytes } of contents) await this.#write(layer, start + at, bytes);
    });
  }

  /**
   * Writes the superblocks, of members and spares; before them the logs of bad blocks that have grown. Members that the
   * others do not know to be in sync yet come last: one that had an update alone as the power went, and was away then,
   * would come back and say, as the only one, who has failed, or that it is whole, when the others went on without it.
   */
  async writeSuperblocks(superblocks: ReadonlyMap<MemberDevice, Superblock>): Promise<void> {
    const { spares } = this.#array;
    const write = async ({ member, device }: Target): Promise<void> => {
      await this.#writeBadBlocks(member, device);
      const superblock = superblocks.get(device);
      if (superblock !== undefined) await this.#writeSuperblock(device, superblock);
    };
    const targets = this.#targets();
    const inSync = new Set(targets.filter(({ member }) => member.isInSync).map(({ device }) => device.layer));
    const isFirst = ({ device }: Target): boolean =>
      inSync.has(device.layer) && this.#knownInSync.has(device.layer);
    const members = this.#each(targets.filter(isFirst), write).then(() =>
      this.#each(
        targets.filter((target) => !isFirst(target) && isCurrent(target)),
        write,
      ),
    );
    const others = spares.map(async (spare) => {
      const superblock = superblocks.get(spare);
      if (superblock === undefined) return;
      try {
        await this.#writeSuperblock(spare, superblock);
      } catch (error) {
        this.#array.failSpare(spare, worldError(error));
      }
    });
    await Promise.all([members, ...others]);
    this.#knownInSync = inSync;
  }

  async #writeSuperblock({ layer }: MemberDevice, superblock: Superblock): Promise<void> {
    await this.#write(layer, superblock.superOffsetSectors * SECTOR, encodeSuperblock(superblock));
  }

  async #writeBadBlocks(member: Member, device: MemberDevice): Promise<void> {
    const { badBlocks } = member;
    const { badBlockShift, badBlockSectors, badBlockOffsetSectors, superOffsetSectors } = device.superblock;
    if (badBlockSectors === 0 || badBlocks === (this.#logged.get(device) ?? device.badBlocks)) return;
    if (badBlocks.length === 0 && !this.#logged.has(device)) return;
    const shape = logShapeOf(member, badBlockShift, device);
    const bytes = encodeBadBlocks(badBlocks, shape, badBlockSectors * SECTOR);
    if (bytes === null) throw new CevError("CEV_NO_SPACE", `the log of bad blocks of ${device.name} is full`);
    await this.#write(device.layer, (superOffsetSectors + badBlockOffsetSectors) * SECTOR, bytes);
    this.#logged.set(device, badBlocks);
  }

  /** Whole blocks, durable where the device has anything to make it so. */
  #write(layer: Layer, offset: number, bytes: Uint8Array): Promise<void> {
    const { logicalBlockSize } = layer.limits;
    const padded = padTo(bytes, logicalBlockSize);
    return writeBytes(layer, this.#array.environment, offset, padded, canBeDurable(layer));
  }

  #targets(): Target[] {
    const members = this.#array.members.filter((member) => member.takesWrites);
    return members.map((member) => ({ member, device: member.device! }));
  }

  /** Fails those where it fails, unless another device has taken the place meanwhile. */
  async #each(targets: readonly Target[], run: (target: Target) => Promise<void>): Promise<void> {
    const outcomes = await Promise.allSettled(targets.map(run));
    outcomes.forEach((outcome, index) => {
      const target = targets[index]!;
      if (outcome.status === "rejected" && isCurrent(target))
        this.#array.failMember(target.member, worldError(outcome.reason));
    });
  }
}

/** The member that had it takes writes, and has it still. */
function isCurrent({ member, device }: Target): boolean {
  return member.takesWrites && member.device?.layer === device.layer;
}

/** True where the log of a device, which it must have, has room for one more range of its data. */
export function hasBadBlockRoom(member: Member, start: number, end: number): boolean {
  const { device } = member;
  if (device === null || device.superblock.badBlockSectors === 0) return false;
  const { badBlockShift, badBlockSectors } = device.superblock;
  // Ranges that touch become one, so this asks for no less than what will be needed.
  const ranges = [...member.badBlocks, { start, end }].sort((a, b) => a.start - b.start);
  return (
    encodeBadBlocks(ranges, logShapeOf(member, badBlockShift, device), badBlockSectors * SECTOR) !== null
  );
}

/** An error of the world as it is; anything else as the bug it is. */
export function worldError(error: unknown): CevError {
  if (isCevError(error)) return error;
  return new CevError("CEV_PROGRAM", `keeping the metadata threw: ${String(error)}`, { cause: error });
}

function logShapeOf(
  { dataStart }: Member,
  shift: number,
  { superblock }: MemberDevice,
): { readonly shift: number; readonly dataStart: number; readonly dataLength: number } {
  return { shift, dataStart, dataLength: superblock.dataSizeSectors * SECTOR };
}

function padTo(bytes: Uint8Array, blockSize: number): Uint8Array {
  if (bytes.length % blockSize === 0) return bytes;
  const padded = new Uint8Array(Math.ceil(bytes.length / blockSize) * blockSize);
  padded.set(bytes);
  return padded;
}

/** Nothing can be asked of a device without flush and FUA. */
function canBeDurable(layer: Layer): boolean {
  return layer.support.fua !== "none" || layer.support.flush !== "none";
}
