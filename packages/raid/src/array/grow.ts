import { CevError } from "@cev/core";
import type { Geometry } from "../levels/level.ts";
import { bitmapLength } from "../metadata/bitmap.ts";
import type { BitmapHead } from "../metadata/bitmap.ts";
import type { MemberBitmap } from "../metadata/member-scan.ts";
import { syncSectors } from "../metadata/superblock.ts";
import type { Superblock } from "../metadata/superblock.ts";
import type { BackgroundSync } from "./background-sync.ts";
import type { Member, MemberDevice } from "./member.ts";
import type { MetadataKeeper } from "./metadata-keeper.ts";
import type { RequestGate } from "./request-gate.ts";
import type { RunningArray } from "./running-array.ts";
import { bitmapRoom } from "./bitmap-room.ts";

const SECTOR = 512;

/** What growing works on. */
export interface Growth {
  readonly array: RunningArray;
  readonly keeper: MetadataKeeper;
  readonly gate: RequestGate;
  readonly sync: BackgroundSync;
  /** The array has another shape; no request is under way. */
  readonly reshaped: () => void;
}

/** How the size is to grow. */
export interface GrowSizeOptions {
  /** What is new is not resynced: its contents are nobody's yet. */
  readonly assumeClean?: boolean;
}

/** RAID1: so many members from now on, more or (where the last places are empty) fewer. */
export async function growMembers(growth: Growth, memberCount: number): Promise<void> {
  const { array, keeper, gate, sync } = growth;
  refuseVolume(keeper.base);
  if (array.level.number !== 1)
    refuse(`the number of members of ${array.name} cannot be changed: only RAID1 can`, "make a new array");
  if (!Number.isInteger(memberCount) || memberCount < 1 || memberCount > 1920)
    refuse(`${memberCount} members are impossible`, "give a number from 1 to 1920");
  const filled = array.members.slice(memberCount).find(({ device }) => device !== null);
  if (filled !== undefined)
    refuse(
      `active device ${filled.index} (${filled.name}) would have no place any more`,
      "fail it and remove it first",
    );
  await sync.between(async () => {
    await gate.quiesce(() => {
      const { geometry } = array;
      const memberSizes = new Array<number>(memberCount).fill(geometry.memberSizes[0]!);
      array.reshape({ ...geometry, memberCount, memberSizes });
      keeper.rebase({ memberCount });
      // What a place that is gone has missed need not be remembered.
      if (array.lostCount === 0) {
        keeper.intents?.beginSync();
        keeper.intents?.endSync(array.unsynced);
      }
      growth.reshaped();
    });
    await keeper.update();
  });
}

/** Every member gives `size` bytes from now on, or all that the smallest has. What is new is resynced. */
export async function growSize(
  growth: Growth,
  size: number | "max",
  options: GrowSizeOptions,
): Promise<void> {
  const { array, keeper, gate, sync } = growth;
  // Refused before anything is interrupted, if it is to be refused.
  if (planSize(growth, size) === null) return;
  await sync.between(async () => {
    // A spare may have taken the place of a member that had failed, and have less room.
    const plan = planSize(growth, size);
    if (plan === null) return;
    const { members, sectors, before, after } = plan;
    // First the room, then the size: whatever a cut leaves behind has room for the size that the newest tells.
    if (members.some(({ member, room }) => member.device!.superblock.dataSizeSectors < room)) {
      await gate.quiesce(() => {
        for (const { member, room } of members) array.resizeMember(member, room);
      });
      await keeper.update();
    }
    await gate.quiesce(() => {
      const { geometry } = array;
      const memberSizes = geometry.memberSizes.map(() => sectors * SECTOR);
      const next: Geometry = { ...geometry, memberSizes };
      array.reshape(next);
      // Of copies in the next row a single row more is of no use.
      if (options.assumeClean !== true && after > before) array.unsync({ start: before, end: after });
      // Its bits as they are now: writes have set some since the growing began.
      keeper.rebase({ sizeSectors: sectors }, grownBitmap(keeper, after));
      growth.reshaped();
    });
    await keeper.update();
  });
}

/** What the members are to become. */
interface SizePlan {
  /** With the sectors of data that each has room for. */
  readonly members: readonly { readonly member: Member; readonly room: number }[];
  /** Of each member from now on. */
  readonly sectors: number;
  /** Bytes of sync space. */
  readonly before: number;
  readonly after: number;
}

/** How the members as they are now grow; null: they have that size. Throws where they cannot. */
function planSize({ array, keeper }: Growth, size: number | "max"): SizePlan | null {
  const { base } = keeper;
  const { geometry, level } = array;
  refuseVolume(base);
  if (!level.isRedundant)
    refuse(`the members of ${array.name} are used whole: its size cannot be changed`, "make a new array");
  if (level.number === 10 && ((base.layout >> 8) & 0xff) > 1 && (base.layout & 0x10000) === 0)
    refuse("a RAID10 with far copies cannot grow: they would have to move", "make a new array");
  const absent = array.members.find((member) => member.device === null);
  if (absent !== undefined)
    refuse(`active device ${absent.index} is missing, and might be too small`, "add it first");
  const members = array.members.map((member) => ({ member, room: dataRoom(member.device!) }));
  const unit = Math.max(2, geometry.chunkSize / SECTOR);
  const least = Math.min(...members.map(({ room }) => room));
  const wanted = size === "max" ? least : Math.floor(size / SECTOR);
  const sectors = wanted - (wanted % unit);
  const small = members.find(({ room }) => room < sectors);
  if (small !== undefined)
    refuse(
      `${small.member.name} has room for ${small.room * SECTOR} bytes of data, not for ${sectors * SECTOR}`,
      "give a smaller size, or max",
    );
  if (sectors < base.sizeSectors)
    refuse(
      `the members give ${base.sizeSectors * SECTOR} bytes each already, and cannot give less`,
      "give a larger size",
    );
  if (sectors === base.sizeSectors) return null;
  const grown: Superblock = { ...base, sizeSectors: sectors };
  const before = syncSectors(base) * SECTOR;
  const after = syncSectors(grown) * SECTOR;
  checkBitmapRoom(keeper, members, after);
  return { members, sectors, before, after };
}

/** Sectors of data that a device has room for: behind the metadata all of it, before the metadata up to that. */
function dataRoom({ layer, superblock }: MemberDevice): number {
  const { version, dataOffsetSectors, dataSizeSectors } = superblock;
  if (version === "0.90" || version === "1.0") return dataSizeSectors;
  return Math.floor(layer.limits.size / SECTOR) - dataOffsetSectors;
}

/** Throws where the bitmap for the new size has no room. */
function checkBitmapRoom(
  { intents }: MetadataKeeper,
  members: readonly { readonly member: Member }[],
  syncSize: number,
): void {
  if (intents === null) return;
  const length = bitmapLength(grownHead(intents.head, syncSize));
  for (const { member } of members)
    if (length > bitmapRoom(member.device!, intents.head))
      refuse(
        `the bitmap would take ${length} bytes, for which ${member.name} has no room`,
        "remove the bitmap first (mdadm --grow --bitmap=none), or make it anew with larger chunks",
      );
}

/** The bitmap for the new size, what is new marked; null: there is none. */
function grownBitmap({ intents }: MetadataKeeper, syncSize: number): MemberBitmap | null {
  if (intents === null) return null;
  const head = grownHead(intents.head, syncSize);
  return { head, bits: intents.grownBits(head) };
}

function grownHead(head: BitmapHead, syncSize: number): BitmapHead {
  return { ...head, syncSectors: syncSize / SECTOR };
}

/** The shape of an LVM volume stands in LVM's metadata, too. */
function refuseVolume({ version }: Superblock): void {
  if (version === "dm-raid")
    refuse("the shape of an LVM volume is LVM's to change", "use lvextend or lvconvert");
}

function refuse(message: string, hint: string): never {
  throw new CevError("CEV_INVALID", message, { hint });
}
