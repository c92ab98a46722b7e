import { levelByName } from "@cev/raid";
import type { CreateOptions, Level, SuperblockVersion } from "@cev/raid";
import { placeOf } from "../place.ts";
import { UsageError } from "../usage-error.ts";
import { parseCount, parseSize } from "./size-option.ts";

const SECTOR = 512;
// One byte of 32 ends the name.
const NAME_LENGTH_MAX = 31;
const VERSIONS: Readonly<Record<string, SuperblockVersion>> = {
  "0": "0.90",
  "0.90": "0.90",
  "1": "1.2",
  "1.0": "1.0",
  "1.1": "1.1",
  "1.2": "1.2",
  default: "1.2",
};

/** As they stand on the command line. */
export interface CreateCommandOptions {
  readonly level?: string;
  readonly raidDevices?: string;
  readonly spareDevices?: string;
  readonly chunk?: string;
  readonly layout?: string;
  readonly metadata?: string;
  readonly bitmap?: string;
  readonly bitmapChunk?: string;
  readonly size?: string;
  readonly dataOffset?: string;
  readonly uuid?: string;
  readonly homehost?: string;
  readonly assumeClean?: boolean;
  readonly makeImages?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
}

/** What is to be made. */
export interface CreateRequest {
  /** Paths by member index; null: missing. */
  readonly members: readonly (string | null)[];
  readonly spares: readonly string[];
  readonly settings: Omit<CreateOptions, "members" | "spares" | "force">;
  /** Bytes of images that are made where there are none; null: none are. */
  readonly imageSize: number | null;
}

/** Reads what stands on the command line. Throws a `UsageError`; what depends on the devices is checked later. */
export function createRequest(
  name: string,
  devices: readonly string[],
  options: CreateCommandOptions,
): CreateRequest {
  if (options.level === undefined) throw new UsageError("--level is missing: linear, 0, 1, 4, 5, 6 or 10");
  const level = levelByName(options.level);
  if (level === null) throw new UsageError(`--level takes linear, 0, 1, 4, 5, 6 or 10, not ${options.level}`);
  const length = Buffer.byteLength(name);
  if (length > NAME_LENGTH_MAX)
    throw new UsageError(`the name has ${length} bytes, and superblocks have room for ${NAME_LENGTH_MAX}`);
  refuseTwice(devices);
  const spareCount =
    options.spareDevices === undefined ? 0 : parseCount(options.spareDevices, "--spare-devices");
  const memberCount =
    options.raidDevices === undefined
      ? devices.length - spareCount
      : parseCount(options.raidDevices, "--raid-devices");
  if (memberCount + spareCount !== devices.length) {
    throw new UsageError(
      `${memberCount} members and ${spareCount} spares make ${memberCount + spareCount}, and ${devices.length} devices are named; the word missing stands for one that is added later`,
    );
  }
  const members = devices.slice(0, memberCount).map((path) => (path === "missing" ? null : path));
  const spares = devices.slice(memberCount);
  if (spares.includes("missing")) throw new UsageError("a spare cannot be missing");
  return {
    members,
    spares,
    imageSize: options.makeImages === undefined ? null : imageSizeOf(options.makeImages),
    settings: settingsOf(name, level, memberCount, options),
  };
}

/** The same device by another path counts, too. */
function refuseTwice(devices: readonly string[]): void {
  const paths = devices.filter((path) => path !== "missing").map((path) => placeOf(path));
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice !== undefined) throw new UsageError(`${twice} is named twice`);
}

function settingsOf(
  name: string,
  level: Level,
  memberCount: number,
  options: CreateCommandOptions,
): CreateRequest["settings"] {
  const { metadata = "default", bitmap, layout } = options;
  const version = VERSIONS[metadata];
  if (version === undefined) throw new UsageError(`--metadata takes 0.90, 1.0, 1.1 or 1.2, not ${metadata}`);
  if (bitmap !== undefined && bitmap !== "internal" && bitmap !== "none")
    throw new UsageError(`--bitmap takes internal or none, not ${bitmap}`);
  return {
    name,
    level: level.number,
    version,
    ...(layout === undefined ? {} : { layout: layoutOf(level, layout, memberCount) }),
    ...sizes(options),
    ...(bitmap === undefined ? {} : { bitmap }),
    ...(options.uuid === undefined ? {} : { uuid: options.uuid }),
    ...(options.homehost === undefined ? {} : { homehost: options.homehost }),
    ...(options.assumeClean === true ? { assumeClean: true } : {}),
  };
}

function sizes(options: CreateCommandOptions): Partial<CreateOptions> {
  const { chunk, bitmapChunk, size, dataOffset } = options;
  return {
    ...(chunk === undefined ? {} : { chunkSize: parseSize(chunk, "--chunk") }),
    ...(bitmapChunk === undefined ? {} : { bitmapChunkSize: parseSize(bitmapChunk, "--bitmap-chunk") }),
    ...(size === undefined || size === "max" ? {} : { size: parseSize(size, "--size") }),
    ...(dataOffset === undefined ? {} : { dataOffset: parseSize(dataOffset, "--data-offset") }),
  };
}

function layoutOf(level: Level, name: string, memberCount: number): number {
  const layout = level.layoutNumber(name);
  if (layout !== null && level.layoutName(layout, memberCount) !== null) return layout;
  if (layout !== null) throw new UsageError(`${level.name} of ${memberCount} members has no layout ${name}`);
  throw new UsageError(
    `${level.name} has no layout ${name}; RAID5 and 6 know left-symmetric (ls), la, rs, ra and more, RAID10 n2, f2, o2`,
  );
}

function imageSizeOf(text: string): number {
  const size = parseSize(text, "--make-images");
  if (size % SECTOR === 0) return size;
  throw new UsageError(`--make-images takes a multiple of ${SECTOR} bytes, not ${text}`);
}
