import { adapt, isCevError, readBytes } from "@cev/core";
import type { Environment, NamedLayer } from "@cev/core";
import type { RaidLayer } from "@cev/raid";

const PART = 65_536;

/** True where all of a device can be read, and it may be written. */
export async function isWhole({ layer }: NamedLayer, environment: Environment): Promise<boolean> {
  if (layer.support.write === "none") return false;
  try {
    for (let at = 0; at < layer.limits.size; at += PART)
      await readBytes(layer, environment, at, Math.min(PART, layer.limits.size - at));
    return true;
  } catch (error) {
    if (isCevError(error)) return false;
    throw error;
  }
}

/** By the bitmap, where there is one that goes back far enough; else all of it is copied. */
export async function takeBack(layer: RaidLayer, lower: NamedLayer, environment: Environment): Promise<void> {
  const { layer: disk, name } = withSmallBlocks(lower, environment);
  try {
    await layer.reAddMember(disk, name);
  } catch (error) {
    if (!isCevError(error) || error.code !== "CEV_INVALID") throw error;
    await layer.addMember(disk, name);
  }
}

/** An array that runs without its member of large blocks has small ones, and takes none that are larger. */
export function withSmallBlocks({ name, layer }: NamedLayer, environment: Environment): NamedLayer {
  return { name, layer: layer.limits.logicalBlockSize > 512 ? adapt(layer, environment, 512) : layer };
}

/** What is wrong with an array when its work has ended, in words. */
export async function verifyArray(layer: RaidLayer): Promise<readonly string[]> {
  const out = layer.array.members.filter(({ isInSync }) => !isInSync);
  if (out.length > 0) return [`${out.length} members are not in order although none was lost`];
  if (!layer.array.level.isRedundant) return [];
  const mismatched = await layer.check();
  if (mismatched === 0) return [];
  // Of copies, what was discarded need not be equal.
  if (layer.array.level.family === "parity") return [`${mismatched} bytes do not match`];
  await layer.repair();
  const left = await layer.check();
  return left > 0 ? [`${left} bytes do not match after they were repaired`] : [];
}
