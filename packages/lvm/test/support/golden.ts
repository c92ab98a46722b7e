import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { GoldenManifest } from "../../../../tests/interop/golden/manifest.ts";
import { unpackGolden } from "../../../../tests/interop/golden/unpack.ts";
import { TextCache, scanPhysicalVolume } from "../../src/disk/scan.ts";
import type { GroupIdentity } from "../../src/model/group.ts";
import { sourceOf } from "./disk-log.ts";
import { ImageLayer } from "./image-layer.ts";

/** A golden set in memory. */
export interface LoadedGolden {
  readonly manifest: GoldenManifest;
  readonly images: readonly { readonly name: string; readonly bytes: Uint8Array }[];
}

/** Unpacks a golden set and takes it into memory. */
export function loadGolden(name: string): LoadedGolden {
  const directory = mkdtempSync(join(tmpdir(), "lvm-golden-"));
  try {
    const { manifest, images } = unpackGolden(name, directory);
    return {
      manifest,
      images: images.map((path) => ({ name: basename(path), bytes: new Uint8Array(readFileSync(path)) })),
    };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Layers over copies of the images, so that a test may spoil them. */
export function layersOf(golden: LoadedGolden): ImageLayer[] {
  return golden.images.map(({ name, bytes }) => new ImageLayer(name, bytes.slice()));
}

/** The golden sets that are groups made by LVM2, with every type of segment. */
const GROUP_SETS = [
  ...[
    "lvm",
    "lvm-areas",
    "lvm-cache",
    "lvm-degraded",
    "lvm-layered",
    "lvm-merge-half",
    "lvm-mirror",
    "lvm-overflow",
  ],
  ...["lvm-raid0", "lvm-raid1", "lvm-raid10", "lvm-raid5-ls", "lvm-raid6-zr", "lvm-snapshot", "lvm-striped"],
  ...["lvm-targets", "lvm-thin"],
];

/** The texts in force of the golden groups, as [set, text]. */
export async function goldenTexts(): Promise<readonly (readonly [string, string])[]> {
  return await Promise.all(
    GROUP_SETS.map(async (name): Promise<readonly [string, string]> => {
      const texts = new TextCache();
      let newest: GroupIdentity | null = null;
      for (const layer of layersOf(loadGolden(name))) {
        const scan = await scanPhysicalVolume(sourceOf(layer), texts);
        for (const { copy } of scan?.areas ?? [])
          if (copy !== null && (newest === null || copy.identity.seqno > newest.seqno))
            newest = copy.identity;
      }
      return [name, newest!.text];
    }),
  );
}
