import { Random } from "../src/random.ts";
import { isRedundant } from "./cases.ts";
import type { ArrayCase } from "./cases.ts";
import { hashText } from "../matrix/hash.ts";

const KIB = 1024;
const SECTOR = 512;

/** How an array of the matrix is made: what its id leaves open, decided by a hash of the id. */
export interface Recipe {
  /** Bytes of each member, whole sectors. */
  readonly sizes: readonly number[];
  readonly name: string;
  /** Whether it has a write-intent bitmap on its members; with a `chunk` in bytes, or the default one. */
  readonly bitmap: { readonly chunk: number | null } | null;
  /** Where cev makes it: with so many bytes of each member in use, to grow later; null: all there are. */
  readonly firstSize: number | null;
  /** Made without a first resync: the members are zeroes, whose parity is right. */
  readonly isAssumedClean: boolean;
}

/** What superblock, bitmap, bad-block log and reserved space take, at most, from a member as small as these. Bytes. */
function overheadOf({ version, chunk }: ArrayCase): number {
  if (version === "0.90" || version === "1.0") return 128 * KIB;
  // Before the data there is room for two chunks, should it move in a reshape; in whole MiB.
  return chunk < 512 ? 1024 * KIB : 2048 * KIB;
}

/** The members of an array of unequal ones, in hundredths of the smallest. Some are equal, as in real ones. */
const UNEQUAL = [100, 150, 150, 210, 260, 100];

export function recipeOf(array: ArrayCase): Recipe {
  const random = new Random(hashText(array.id));
  const { memberCount, chunk, level, layout } = array;
  // Long enough for the layout to come round once, and for a rest that fills no chunk.
  const rounds = level === "10" ? 12 : memberCount + 1;
  const share = Math.max(512, rounds * chunk) * KIB;
  const isUnequal = !isRedundant(array) && layout !== "equal";
  const growth = isUnequal ? random.shuffle(UNEQUAL.slice(0, memberCount)) : [];
  const rest = random.below(256);
  const sizes = Array.from({ length: memberCount }, (_, index) => {
    const data = Math.floor((share * (growth[index] ?? 100)) / 100 / KIB) * KIB;
    // Members need not be equal to the sector: the smallest one counts, or each its own.
    const odd = isRedundant(array) || isUnequal ? rest + random.below(16) : rest;
    return overheadOf(array) + data + odd * SECTOR;
  });
  const hasBitmap = isRedundant(array) && random.below(2) === 0;
  return {
    sizes,
    name: `m${random.below(1000)}`,
    bitmap: hasBitmap ? { chunk: random.pick([null, 16 * KIB, 64 * KIB]) } : null,
    isAssumedClean: isRedundant(array) && random.below(4) > 0,
    firstSize: canGrow(array) && random.below(4) === 0 ? share / 2 : null,
  };
}

/** Far copies would have to move. */
function canGrow(array: ArrayCase): boolean {
  return isRedundant(array) && !array.layout.startsWith("f");
}

/** A RAID0 of version 0.90: mdadm makes none any more, so it starts as a RAID4. */
export function isOldRaid0({ level, version }: ArrayCase): boolean {
  return level === "0" && version === "0.90";
}

/** The options of `mdadm --create` for it, `--raid-devices` and the members left out. */
export function mdadmOptions(array: ArrayCase, recipe: Recipe): readonly string[] {
  const { level, layout, version, chunk } = array;
  const options = [`--level=${isOldRaid0(array) ? 4 : level}`, `--metadata=${version}`];
  if (chunk > 0) options.push(`--chunk=${chunk}`);
  if (level === "0") {
    if (layout !== "equal") options.push(`--layout=${layout}`);
  } else if (level !== "linear" && layout !== "-") {
    options.push(`--layout=${layout}`);
  }
  if (version !== "0.90") options.push(`--name=${recipe.name}`);
  if (isRedundant(array)) options.push(`--bitmap=${recipe.bitmap === null ? "none" : "internal"}`);
  const bitmapChunk = recipe.bitmap?.chunk ?? null;
  if (bitmapChunk !== null) options.push(`--bitmap-chunk=${bitmapChunk / KIB}K`);
  if (recipe.isAssumedClean) options.push("--assume-clean");
  return options;
}
