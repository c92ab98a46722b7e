import { createHash } from "node:crypto";
import { closeSync, ftruncateSync, mkdirSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import type { GoldenManifest } from "./manifest.ts";

const BLOCK = 4096;

export interface UnpackedGolden {
  readonly manifest: GoldenManifest;
  /** The images' paths, in the order of the manifest. */
  readonly images: readonly string[];
}

/** Reads what is known about a golden set. */
export function readGoldenManifest(name: string): GoldenManifest {
  return JSON.parse(
    readFileSync(new URL(`${name}/manifest.json`, import.meta.url), "utf8"),
  ) as GoldenManifest;
}

/** Writes the images of a golden set into a folder, with holes where they hold zeroes, and checks their hashes. */
export function unpackGolden(name: string, directory: string): UnpackedGolden {
  const manifest = readGoldenManifest(name);
  mkdirSync(directory, { recursive: true });
  const images = manifest.images.map(({ file, sha256 }) => {
    const bytes = brotliDecompressSync(readFileSync(new URL(`${name}/${file}.br`, import.meta.url)));
    if (createHash("sha256").update(bytes).digest("hex") !== sha256) {
      throw new Error(`golden set ${name}: ${file} is not what its manifest says`);
    }
    const path = join(directory, file);
    writeSparse(path, bytes);
    return path;
  });
  return { manifest, images };
}

function writeSparse(path: string, bytes: Buffer): void {
  const zeroes = Buffer.alloc(BLOCK);
  const isHole = (at: number): boolean =>
    bytes.compare(zeroes, 0, Math.min(BLOCK, bytes.length - at), at, at + BLOCK) === 0;
  const file = openSync(path, "w");
  try {
    for (let at = 0; at < bytes.length;) {
      let end = at;
      while (end < bytes.length && !isHole(end)) end += BLOCK;
      if (end > at) writeSync(file, bytes, at, Math.min(end, bytes.length) - at, at);
      at = end + BLOCK;
    }
    ftruncateSync(file, bytes.length);
  } finally {
    closeSync(file);
  }
}
