import { CevError, readBytes } from "@cev/core";
import type { Claim, Details, Environment, NamedLayer } from "@cev/core";
import { levelByName, levelOf } from "./levels/levels.ts";
import { createArray } from "./metadata/create-array.ts";
import { readSuperblock } from "./metadata/member-scan.ts";
import type { SuperblockVersion } from "./metadata/superblock.ts";

/** An array that is made where its members are blank, as in a stack file. The members are taken in their order. */
export interface RaidCreateOption {
  /** As mdadm takes it: "raid5", 5. */
  readonly level: string | number;
  /** As mdadm takes it: "left-symmetric", "n2". */
  readonly layout?: string;
  /** Bytes. */
  readonly chunkSize?: number;
  readonly metadata?: SuperblockVersion;
  readonly name?: string;
  readonly bitmap?: "internal" | "none";
  /** Bytes that one bit of the bitmap covers. */
  readonly bitmapChunkSize?: number;
  /** Bytes that each member gives. */
  readonly size?: number;
  readonly assumeClean?: boolean;
  /** So many of the last members are spares. */
  readonly spareCount?: number;
}

const NUMBERS_MIN: Readonly<Record<string, number>> = {
  chunkSize: 4096,
  bitmapChunkSize: 4096,
  size: 1024,
  spareCount: 0,
};

/** The option as a JSON Schema. */
export const RAID_CREATE_SCHEMA: Details = {
  type: "object",
  additionalProperties: false,
  required: ["level"],
  description: "Makes the array where none of its members carries anything; otherwise it is assembled.",
  properties: {
    level: { type: ["string", "integer"], description: 'As mdadm takes it: "raid5", 5.' },
    layout: { type: "string", description: 'As mdadm takes it: "left-symmetric", "n2".' },
    chunkSize: {
      type: "integer",
      minimum: NUMBERS_MIN["chunkSize"]!,
      description: "Bytes; a power of two. Default 512 KiB.",
    },
    metadata: {
      enum: ["0.90", "1.0", "1.1", "1.2"],
      default: "1.2",
      description: "Version of the superblock.",
    },
    name: { type: "string", description: "The array's name." },
    bitmap: { enum: ["internal", "none"], description: "Default: internal above 100 GiB of each member." },
    bitmapChunkSize: {
      type: "integer",
      minimum: NUMBERS_MIN["bitmapChunkSize"]!,
      description: "Bytes that one bit covers.",
    },
    size: {
      type: "integer",
      minimum: NUMBERS_MIN["size"]!,
      description: "Bytes that each member gives. Default: all.",
    },
    assumeClean: { type: "boolean", default: false, description: "The members agree already." },
    spareCount: {
      type: "integer",
      minimum: NUMBERS_MIN["spareCount"]!,
      default: 0,
      description: "So many of the last members are spares.",
    },
  },
};

const VERSIONS: readonly unknown[] = ["0.90", "1.0", "1.1", "1.2"];
const KEYS = ["level", "layout", "metadata", "name", "bitmap", "assumeClean", ...Object.keys(NUMBERS_MIN)];

/** What is wrong with the option, with the key it is about; null: nothing. */
export function createOptionIssue(
  value: unknown,
): { readonly key: string | null; readonly message: string } | null {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    return { key: null, message: "must be an object" };
  const given = value as Record<string, unknown>;
  const wrong = (key: string, message: string): { key: string; message: string } => ({ key, message });
  for (const key of Object.keys(given))
    if (!KEYS.includes(key)) return wrong(key, "is not an option of create");
  const { level, layout, metadata, name, bitmap, assumeClean } = given;
  const found = typeof level === "number" || typeof level === "string" ? levelByName(String(level)) : null;
  if (found === null && !(typeof level === "number" && levelOf(level) !== null))
    return wrong("level", 'must be a RAID level, such as "raid5" or 5');
  if (layout !== undefined && (typeof layout !== "string" || found?.layoutNumber(layout) === null))
    return wrong("layout", `is not a layout of ${found?.name ?? "that level"}`);
  if (metadata !== undefined && !VERSIONS.includes(metadata))
    return wrong("metadata", `must be one of ${VERSIONS.join(", ")}`);
  if (name !== undefined && typeof name !== "string") return wrong("name", "must be text");
  if (bitmap !== undefined && bitmap !== "internal" && bitmap !== "none")
    return wrong("bitmap", "must be internal or none");
  if (assumeClean !== undefined && typeof assumeClean !== "boolean")
    return wrong("assumeClean", "must be true or false");
  for (const [key, least] of Object.entries(NUMBERS_MIN)) {
    const number = given[key];
    if (number !== undefined && !(Number.isSafeInteger(number) && (number as number) >= least))
      return wrong(key, `must be a whole number, at least ${least}`);
  }
  return null;
}

/**
 * Makes an array of devices that carry nothing. False, with nothing written: one of them carries an md superblock, so there
 * is something to assemble. Throws `CEV_BUSY` where a device carries anything else.
 */
export async function createIfBlank(
  lowers: readonly NamedLayer[],
  option: RaidCreateOption,
  environment: Environment,
): Promise<boolean> {
  for (const { name, layer } of lowers) {
    const read = (offset: number, length: number): Promise<Uint8Array> =>
      readBytes(layer, environment, offset, length);
    if ((await readSuperblock({ source: name, size: layer.limits.size, read })) !== null) return false;
  }
  for (const lower of lowers) await refuseUsed(lower, environment);
  const { level, layout, spareCount = 0, metadata, ...rest } = option;
  const found = levelByName(String(level)) ?? levelOf(Number(level))!;
  const number = layout === undefined ? undefined : (found.layoutNumber(layout) ?? undefined);
  const memberCount = lowers.length - spareCount;
  const claims: Claim[] = [];
  try {
    for (const { name, layer } of lowers)
      claims.push(layer.claims.acquire({ name: "a new array" }, "write", name));
    await createArray({
      ...rest,
      environment,
      level: found.number,
      members: lowers.slice(0, memberCount),
      spares: lowers.slice(memberCount),
      ...(number === undefined ? {} : { layout: number }),
      ...(metadata === undefined ? {} : { version: metadata }),
    });
  } finally {
    for (const claim of claims) claim.release();
  }
  return true;
}

// Where file systems, volume managers and partition tables have their signatures: at the beginning and at the end.
const HEAD_LENGTH = 1024 * 1024;
const TAIL_LENGTH = 128 * 1024;

/** Throws `CEV_BUSY` for a device that does not look blank. */
async function refuseUsed({ name, layer }: NamedLayer, environment: Environment): Promise<void> {
  const { size } = layer.limits;
  const ranges = [
    [0, Math.min(size, HEAD_LENGTH)],
    [Math.max(0, size - TAIL_LENGTH), size],
  ] as const;
  for (const [start, end] of ranges) {
    const bytes = await readBytes(layer, environment, start, end - start);
    if (bytes.every((byte) => byte === 0)) continue;
    throw new CevError("CEV_BUSY", `${name} is not blank, and no array is made of it unasked`, {
      source: name,
      hint: "make the array with cev raid create, which says what would be lost, or clear the device first",
    });
  }
}
