import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { unpackGolden } from "../../../../tests/interop/golden/unpack.ts";

/** A golden set in memory: the images by disk, the contents of the array by its hash. */
export interface Golden {
  readonly images: readonly Uint8Array[];
  readonly arraySize: number;
  readonly arrayHash: string;
  readonly facts: Readonly<Record<string, string>>;
}

/** Reads a golden set made by the kernel. */
export function readGolden(name: string): Golden {
  const directory = mkdtempSync(join(tmpdir(), "cev-raid-"));
  try {
    const { manifest, images } = unpackGolden(name, directory);
    const layer = manifest.layers.find((entry) => entry.name === "md");
    if (layer === undefined) throw new Error(`the golden set ${name} has no md array`);
    return {
      images: images.map((path) => new Uint8Array(readFileSync(path))),
      arraySize: layer.size,
      arrayHash: layer.sha256,
      facts: manifest.facts,
    };
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
