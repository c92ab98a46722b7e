import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import type { GoldenManifest } from "../../../../tests/interop/golden/manifest.ts";
import { unpackGolden } from "../../../../tests/interop/golden/unpack.ts";
import { textOf } from "../../src/disk/bytes.ts";
import { decodeMdaHeader, textRanges } from "../../src/disk/mda.ts";
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

/** The texts in force of the golden groups, as [set, text]. */
export function goldenTexts(): readonly (readonly [string, string])[] {
  return ["lvm"].map((name) => {
    const { bytes } = loadGolden(name).images[0]!;
    const place = { source: name, structure: "LVM2 metadata area 0", byteOffset: 4096 };
    const header = decodeMdaHeader(bytes.subarray(4096, 4608), place);
    const parts = textRanges(header, header.committed!).map(({ offset, length }) =>
      textOf(bytes.subarray(offset, offset + length)),
    );
    return [name, parts.join("").replace(/\0$/, "")];
  });
}
