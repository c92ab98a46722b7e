import { CevError, isCevError, readBytes, writeBytes } from "@cev/core";
import type { Environment, NamedLayer } from "@cev/core";
import { planCreate } from "./create.ts";
import type { CreateOptions } from "./create-options.ts";
import type { CreatePlan } from "./create.ts";
import type { PlannedWrite } from "./create-superblock.ts";
import { readSuperblock, scanTarget, superblockOffset } from "./member-scan.ts";
import type { ScanTarget } from "./member-scan.ts";
import { SUPERBLOCK_LENGTH_MAX, hasSuperblockMagic } from "./superblock.ts";
import { hasForeignMagic } from "./superblock-old.ts";

const VERSIONS = ["1.2", "1.1", "1.0", "0.90"] as const;

/** A new array on devices that are there. */
export interface CreateArrayOptions extends Omit<CreateOptions, "members" | "spares"> {
  readonly environment: Environment;
  /** By member index; null: missing. */
  readonly members: readonly (NamedLayer | null)[];
  readonly spares?: readonly NamedLayer[];
  /** Also devices that belong to an array may be used: that array loses them. */
  readonly force?: boolean;
}

/**
 * Makes a new array. Refuses devices that carry an md superblock unless that is forced; whatever else lies on them is for
 * the caller to look at. Old superblocks of all versions go first and the new ones come last, each durably, so that a
 * stop in between leaves members of the old array, none, or members of the new one: never both.
 */
export async function createArray(options: CreateArrayOptions): Promise<CreatePlan> {
  const { environment, members, spares = [] } = options;
  const plan = planCreate(
    {
      ...options,
      members: members.map((member) => (member === null ? null : deviceOf(member))),
      spares: spares.map(deviceOf),
    },
    environment,
  );
  const byName = new Map(
    [...members, ...spares].flatMap((one) => (one === null ? [] : [[one.name, one] as const])),
  );
  const devices = plan.devices.map((planned) => ({ planned, target: byName.get(planned.name)! }));
  if (options.force !== true)
    for (const { target } of devices) await refuseMember(scanTarget(target, environment));
  for (const { target } of devices) await wipeSuperblocks(target, environment);
  for (const { planned, target } of devices)
    if (planned.bitmap !== null) await put(target, environment, planned.bitmap);
  for (const { planned, target } of devices) await put(target, environment, planned.header);
  return plan;
}

/** Throws `CEV_BUSY` for a device that carries a superblock, whether or not that can be understood. */
export async function refuseMember(target: ScanTarget): Promise<void> {
  let what: string;
  try {
    const found = await readSuperblock(target);
    if (found === null) return;
    what = `is part of array ${found.arrayName === "" ? found.arrayUuid : found.arrayName}`;
  } catch (error) {
    if (!isCevError(error) || (error.code !== "CEV_BAD_METADATA" && error.code !== "CEV_UNKNOWN_FEATURE"))
      throw error;
    what = `carries an md superblock (${error.message})`;
  }
  throw new CevError("CEV_BUSY", `${target.source} ${what}`, {
    source: target.source,
    hint: "use another device, or take it from that array with the option force",
  });
}

/** Overwrites the superblocks of all versions that a device carries with zeroes, durably. */
export async function wipeSuperblocks(target: NamedLayer, environment: Environment): Promise<void> {
  const { layer } = target;
  for (const version of VERSIONS) {
    const offset = superblockOffset(version, layer.limits.size);
    if (offset === null) continue;
    const bytes = await readBytes(layer, environment, offset, SUPERBLOCK_LENGTH_MAX);
    if (!hasSuperblockMagic(bytes) && !hasForeignMagic(bytes)) continue;
    await put(target, environment, { offset, bytes: new Uint8Array(SUPERBLOCK_LENGTH_MAX) });
  }
}

function deviceOf({ name, layer }: NamedLayer): {
  readonly name: string;
  readonly size: number;
  readonly logicalBlockSize: number;
} {
  return { name, size: layer.limits.size, logicalBlockSize: layer.limits.logicalBlockSize };
}

function put({ layer }: NamedLayer, environment: Environment, write: PlannedWrite): Promise<void> {
  const canBeDurable = layer.support.fua !== "none" || layer.support.flush !== "none";
  return writeBytes(layer, environment, write.offset, write.bytes, canBeDurable);
}
