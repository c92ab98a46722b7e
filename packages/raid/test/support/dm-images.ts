import { Device, environmentFrom, openTree } from "@cev/core";
import type { Environment, Layer, OpenedDevice, Problem } from "@cev/core";
import { RaidLayer, encodeBitmapHead, encodeSuperblock, raidDriver, syncSectors } from "../../src/index.ts";
import type { RaidOptions, Superblock } from "../../src/index.ts";
import { dmRaidGeometry } from "../../src/dm-raid/dm-raid-option.ts";
import type { DmRaidOption } from "../../src/dm-raid/dm-raid-option.ts";
import { blankDmSuperblock } from "../../src/dm-raid/dm-superblock.ts";
import type { DmShape } from "../../src/dm-raid/dm-superblock.ts";

const SECTOR = 512;
/** Bytes of rmeta. */
export const DM_META_SIZE: number = 64 * 1024;
const REGION_SIZE = 16_384;
const EVENTS = 17n;

/** A volume of so many chunks of 4 KiB on each member. */
export function dmOption(type: string, memberCount: number, chunkCount = 16): DmRaidOption {
  const members = Array.from({ length: memberCount }, (_, index) => index);
  const dataCount =
    type === "raid1"
      ? 1
      : type === "raid10"
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
