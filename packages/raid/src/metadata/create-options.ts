import { CevError } from "@cev/core";
import type { Environment } from "@cev/core";
import type { Level } from "../levels/level.ts";
import { levelOf } from "../levels/levels.ts";
import { parseUuid } from "./identity.ts";
import { OLD_DEVICES_MAX } from "./superblock-old-devices.ts";
import { DEVICES_MAX } from "./superblock-1.ts";
import type { SuperblockVersion } from "./superblock-model.ts";

const CHUNK_DEFAULT = 512 * 1024;
const CHUNK_MIN = 4096;
const CHUNK_MAX = 2 ** 30;
const RAID6_MEMBERS_MAX = 256;
// What a superblock and the kernel can be written in.
const BLOCK_MAX = 4096;

/** A device that is to become part of an array. */
export interface CreateDevice {
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly logicalBlockSize?: number;
}

/** The array that is to be made; what is left out has mdadm's defaults. Sizes in bytes. */
export interface CreateOptions {
  readonly level: number;
  /** By member index; null: missing, to be added later. */
  readonly members: readonly (CreateDevice | null)[];
  readonly spares?: readonly CreateDevice[];
  /** As in the superblock: see `Level.layoutNumber`. */
  readonly layout?: number;
  readonly chunkSize?: number;
  readonly version?: SuperblockVersion;
  readonly name?: string;
  /** Put before the name, where both fit and the name has none: "host:name". */
  readonly homehost?: string;
  readonly uuid?: string;
  /** By default there is one where each member gives more than 100 GiB. */
  readonly bitmap?: "internal" | "none";
  readonly bitmapChunkSize?: number;
  /** What each member is to give to the array; else as much as the smallest can. */
  readonly size?: number;
  /** Where the data begins on each member; only versions 1.1 and 1.2. */
  readonly dataOffset?: number;
  /** The members agree already, or it does not matter. */
  readonly assumeClean?: boolean;
  /** Accept a single member. */
  readonly force?: boolean;
}

/** What a new array takes from outside. */
export type CreateInputs = Pick<Environment, "random" | "wallClock">;

/** What was asked for, checked and with its defaults; what depends on the sizes of devices is not decided yet. */
export interface CheckedOptions {
  readonly level: Level;
  readonly members: readonly (CreateDevice | null)[];
  readonly spares: readonly CreateDevice[];
  readonly present: readonly CreateDevice[];
  readonly layout: number;
  readonly chunkSectors: number;
  readonly version: SuperblockVersion;
  readonly uuid: Uint8Array | null;
  readonly options: CreateOptions;
}

/** What cannot be made is refused in words that can be shown as they are. */
export function refuseCreation(message: string, hint?: string): never {
  throw new CevError("CEV_INVALID", message, hint === undefined ? {} : { hint });
}

/** Checks all that does not depend on sizes. Throws `CEV_INVALID`. */
export function checkCreateOptions(options: CreateOptions): CheckedOptions {
  const { members, spares = [], version = "1.2" } = options;
  const level = levelOf(options.level) ?? refuseCreation(`there is no RAID level ${options.level}`);
  const layout = options.layout ?? level.layoutDefault(members.length);
  checkMembers(level, options);
  if (level.layoutName(layout, members.length) === null)
    refuseCreation(`${level.name} with ${members.length} members has no layout ${layout}`);
  const present = [...members, ...spares].filter((device) => device !== null);
  checkDevices(present);
  const devicesMax = version === "0.90" ? OLD_DEVICES_MAX : DEVICES_MAX;
  if (members.length + spares.length > devicesMax)
    refuseCreation(`superblocks of version ${version} have room for ${devicesMax} devices`);
  checkRest(level, version, options);
  const uuid = options.uuid === undefined ? null : parseUuid(options.uuid);
  if (options.uuid !== undefined && uuid === null) refuseCreation(`${options.uuid} is no UUID`);
  const chunkSectors = chunkOf(level, options.chunkSize) / 512;
  return { level, members, spares, present, layout, chunkSectors, version, uuid, options };
}

function checkMembers(level: Level, { members, spares = [], force = false }: CreateOptions): void {
  const countMin = level.number === 6 ? 4 : level.memberCountMin;
  if (members.length < Math.max(1, countMin))
    refuseCreation(`${level.name} needs ${countMin} members at least`);
  if (members.length === 1 && !force)
    refuseCreation(
      `an array of one member is unusual: it has no redundancy`,
      "the option force makes it nevertheless",
    );
  if (level.number === 6 && members.length > RAID6_MEMBERS_MAX)
    refuseCreation(`raid6 has ${RAID6_MEMBERS_MAX} members at most`);
  if (members.every((member) => member === null)) refuseCreation("all members are missing");
  if (level.isRedundant) return;
  if (spares.length > 0) refuseCreation(`${level.name} has no use for spares`);
  if (members.includes(null)) refuseCreation(`${level.name} cannot do without a member`);
}

function checkDevices(devices: readonly CreateDevice[]): void {
  const names = new Set<string>();
  for (const { name, size, logicalBlockSize = 512 } of devices) {
    if (names.has(name)) refuseCreation(`${name} is named twice`);
    names.add(name);
    if (!Number.isSafeInteger(size) || size < 0) refuseCreation(`${name} has no size that is possible`);
    if (logicalBlockSize > BLOCK_MAX)
      refuseCreation(
        `${name} has blocks of ${logicalBlockSize} bytes, md knows ${BLOCK_MAX} at most`,
        "put a layer of smaller blocks on it",
      );
  }
}

function checkRest(level: Level, version: SuperblockVersion, options: CreateOptions): void {
  const { dataOffset, bitmap, bitmapChunkSize, size, name = "", homehost = "" } = options;
  if (dataOffset !== undefined) {
    if (version !== "1.1" && version !== "1.2")
      refuseCreation(`with superblocks of version ${version} the data begins with the device`);
    if (!Number.isSafeInteger(dataOffset) || dataOffset < 0 || dataOffset % 4096 !== 0)
      refuseCreation(`data cannot begin at byte ${dataOffset}: it must be a multiple of 4096`);
  }
  if (bitmap === "internal" && !level.isRedundant) refuseCreation(`${level.name} has no use for a bitmap`);
  if (bitmapChunkSize !== undefined && bitmap === "none")
    refuseCreation("a bitmap's chunk makes no sense without a bitmap");
  if (size !== undefined && !level.isRedundant)
    refuseCreation(`${level.name} takes all of its members: it has no size to choose`);
  if (size !== undefined && (!Number.isSafeInteger(size) || size < 1024))
    refuseCreation(`members cannot give ${size} bytes each`);
  // It is cut off at 31 bytes where the host's name does not fit, and must not contain what ends it.
  for (const text of [name, homehost])
    if (text.includes("\0") || text.includes("\n")) refuseCreation("a name has one line");
}

function chunkOf(level: Level, chunkSize: number | undefined): number {
  if (level.number === 1) {
    if (chunkSize !== undefined && chunkSize !== 0) refuseCreation("raid1 has no chunks");
    return 0;
  }
  const chunk = chunkSize ?? (level.hasChunks ? CHUNK_DEFAULT : 0);
  if (chunk === 0 && !level.hasChunks) return 0;
  if (chunk < CHUNK_MIN || chunk > CHUNK_MAX || !Number.isInteger(Math.log2(chunk)))
    refuseCreation(
      `a chunk of ${chunk} bytes is impossible: it must be a power of two from ${CHUNK_MIN} to ${CHUNK_MAX}`,
    );
  return chunk;
}
