import { Device, environmentFrom } from "@cev/core";
import type { Environment, Layer, Problem } from "@cev/core";
import { RaidLayer, raidDriver, readBitmap, readSuperblock } from "@cev/raid";
import type { MemberBitmap, ScanTarget, Superblock } from "@cev/raid";
import { Random } from "../src/random.ts";
import { ImageLayer } from "./image-layer.ts";

const environment: Environment = environmentFrom(globalThis);

export interface OpenedArray {
  readonly device: Device;
  readonly layer: Layer;
  readonly problems: readonly Problem[];
}

/** Opens the array on these members (by index; those in `missing` are not given), in an order left to chance. */
export async function openArray(
  images: readonly Uint8Array[],
  missing: readonly number[],
  random: Random,
  how: { readonly isReadOnly: boolean },
): Promise<OpenedArray> {
  const present = images
    .map((bytes, index) => ({ index, bytes }))
    .filter(({ index }) => !missing.includes(index));
  const problems: Problem[] = [];
  const [opened] = await raidDriver.open({
    environment,
    options: { degraded: !how.isReadOnly },
    lowers: random.shuffle(present).map(({ index, bytes }) => ({
      name: `member ${index}`,
      layer: new ImageLayer(bytes, how.isReadOnly ? null : chanceOf(random)),
    })),
    keySource: { keys: [] },
    isReadOnly: how.isReadOnly,
    canWriteDegraded: !how.isReadOnly,
    directory: ".",
    report: (problem) => problems.push(problem),
  });
  const { layer } = opened!;
  const device = await Device.open(layer, environment, { isReadOnly: how.isReadOnly });
  return { device, layer, problems };
}

/** Another source of chance: what the disks take from it does not change what is written. */
export function chanceOf(random: Random): Random {
  return new Random(random.below(2 ** 32));
}

/** The array at work. Throws for one that is only read, in the middle of a reshape. */
export function raidLayerOf({ layer }: OpenedArray): RaidLayer {
  if (!(layer instanceof RaidLayer)) throw new Error(`${layer.name} is not an array at work`);
  return layer;
}

/** What cev makes of a member's superblock. Throws where there is none. */
export async function superblockOf(bytes: Uint8Array, source: string): Promise<Superblock> {
  const superblock = await readSuperblock(scanTarget(bytes, source));
  if (superblock === null) throw new Error(`${source} has no md superblock`);
  return superblock;
}

/** What cev makes of a member's bitmap; null: it has none. */
export async function bitmapOf(bytes: Uint8Array, source: string): Promise<MemberBitmap | null> {
  return readBitmap(scanTarget(bytes, source), await superblockOf(bytes, source));
}

function scanTarget(bytes: Uint8Array, source: string): ScanTarget {
  return {
    source,
    size: bytes.length,
    read: (offset, length) => Promise.resolve(bytes.slice(offset, offset + length)),
  };
}
