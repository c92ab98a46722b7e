import { Device, environmentFrom, openTree } from "@cev/core";
import type { Environment, Layer, OpenedDevice, Problem } from "@cev/core";
import { RaidLayer, encodeBitmapHead, encodeSuperblock, raidDriver, syncSectors } from "../../src/index.ts";
import type { RaidOptions, Superblock } from "../../src/index.ts";
import { dmRaidGeometry } from "../../src/dm-raid/dm-raid-option.ts";
import type { DmRaidOption } from "../../src/dm-raid/dm-raid-option.ts";
import { blankDmSuperblock, decodeDmSuperblock } from "../../src/dm-raid/dm-superblock.ts";
import type { DmShape } from "../../src/dm-raid/dm-superblock.ts";
import { MemoryLayer } from "./memory-layer.ts";

const SECTOR = 512;
/** Bytes of rmeta. */
export const DM_META_SIZE: number = 64 * 1024;
/** Where the bits of the bitmap begin on a member. */
export const DM_BITMAP_BITS: number = 4096 + 256;
const REGION_SIZE = 16_384;
const EVENTS = 17n;

/** A volume of so many chunks of 4 KiB on each member. */
export function dmOption(type: string, memberCount: number, chunkCount = 16): DmRaidOption {
  const members = Array.from({ length: memberCount }, (_, index) => index);
  const dataCount =
    type === "raid1"
      ? 1
      : type.startsWith("raid10")
        ? memberCount / 2
        : memberCount - (type.startsWith("raid6") ? 2 : 1);
  const memberSize = chunkCount * 4096;
  return {
    type,
    memberCount,
    members,
    ...(type === "raid1" ? {} : { chunkSize: 4096 }),
    regionSize: REGION_SIZE,
    metadataSize: DM_META_SIZE,
    memberSize,
    size: dataCount * memberSize,
  };
}

/** What a member's superblock must agree with. */
export function dmShape(option: DmRaidOption, position: number): DmShape {
  const { level, layout, chunkSize, memberSize } = dmRaidGeometry(option);
  return {
    name: option.type,
    position,
    level,
    layout,
    chunkSectors: chunkSize / SECTOR,
    memberCount: option.memberCount,
    sizeSectors: memberSize / SECTOR,
    dataSizeSectors: option.memberSize / SECTOR,
    arraySectors: option.size / SECTOR,
    dataOffsetSectors: option.metadataSize / SECTOR,
  };
}

/** Members of a clean volume that holds zeroes. `changes`: to each superblock. `marks`: the first bytes of the bitmap. */
export function dmImages(
  option: DmRaidOption,
  changes: (position: number) => Partial<Superblock> = () => ({}),
  marks: readonly number[] = [],
): Uint8Array[] {
  return Array.from({ length: option.memberCount }, (_, position) => {
    const clean = {
      ...blankDmSuperblock(dmShape(option, position)),
      eventCount: EVENTS,
      resyncSectors: null,
    };
    const superblock: Superblock = { ...clean, ...changes(position) };
    const image = new Uint8Array(option.metadataSize + option.memberSize);
    image.set(encodeSuperblock(superblock));
    const head = encodeBitmapHead({
      arrayUuid: superblock.arrayUuid,
      eventCount: superblock.eventCount,
      clearedEventCount: superblock.eventCount,
      syncSectors: syncSectors(superblock),
      state: 0,
      chunkSize: option.regionSize,
      daemonSleepSeconds: 5,
      writeBehind: 0,
      reservedSectors: 0,
    });
    image.set(head, 4096);
    image.set(marks, 4096 + head.length);
    return image;
  });
}

/** A volume that was opened through the driver, with the problems that were reported. */
export interface OpenDm {
  readonly device: Device;
  readonly layer: RaidLayer;
  readonly opened: OpenedDevice;
  readonly problems: readonly Problem[];
}

/** Disks in memory that hold copies of these images. */
export function dmDisks(images: readonly Uint8Array[]): MemoryLayer[] {
  return images.map((bytes, index) => new MemoryLayer(`member${index}`, Uint8Array.from(bytes)));
}

/** Bytes that are unlike their neighbours. */
export function dmPattern(size: number, salt = 0): Uint8Array {
  return Uint8Array.from({ length: size }, (_, index) => (index * 31 + (index >> 9) + salt) & 0xff);
}

/** Members of a volume that holds the pattern, written by the layer itself and closed. */
export async function filledDm(option: DmRaidOption): Promise<Uint8Array[]> {
  const members = dmDisks(dmImages(option));
  const { device } = await openDm(option, members);
  await device.write(0, dmPattern(option.size));
  await device.close();
  return members.map(({ bytes }) => bytes);
}

/** What the superblock of a member says. */
export function dmSuperblock(option: DmRaidOption, image: Uint8Array, position: number): Superblock {
  return decodeDmSuperblock(image.subarray(0, 512), "member", dmShape(option, position));
}

/** How a volume is opened. */
export interface OpenDmOptions extends Pick<RaidOptions, "degraded" | "force"> {
  readonly isReadOnly?: boolean;
  readonly environment?: Environment;
}

/** Opens a volume over its members by position; null: missing. */
export async function openDm(
  option: DmRaidOption,
  layers: readonly (Layer | null)[],
  how: OpenDmOptions = {},
): Promise<OpenDm> {
  const { isReadOnly = false, environment = environmentFrom(globalThis), ...options } = how;
  const problems: Problem[] = [];
  let next = 0;
  const members = layers.map((layer) => (layer === null ? null : next++));
  const lowers = layers.flatMap((layer, index) =>
    layer === null ? [] : [{ name: `member${index}`, layer }],
  );
  for (const { layer } of lowers) await openTree(layer);
  const [opened] = await raidDriver.open({
    environment,
    options: { ...options, dmRaid: { ...option, members } },
    lowers,
    keySource: { keys: [] },
    isReadOnly,
    canWriteDegraded: false,
    directory: ".",
    report: (problem) => problems.push(problem),
  });
  const { layer } = opened!;
  if (!(layer instanceof RaidLayer)) throw new Error("the driver did not open an array");
  const device = await Device.open(layer, environment, {
    isReadOnly: isReadOnly || layer.support.write === "none",
  });
  return { device, layer, opened: opened!, problems };
}
