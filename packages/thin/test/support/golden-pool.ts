import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import type { ThinVolumeOption } from "../../src/index.ts";

const MIB = 1 << 20;

/** The pool that the kernel made; see `fixtures/README.md`. The arrays are new in each call. */
export function goldenPool(): {
  readonly metadata: Uint8Array;
  readonly data: Uint8Array;
  readonly outside: Uint8Array;
} {
  const path = join(import.meta.dirname, "../fixtures/pool.img.br");
  const image = new Uint8Array(brotliDecompressSync(readFileSync(path)));
  return {
    metadata: image.slice(0, 4 * MIB),
    data: image.slice(4 * MIB, 44 * MIB),
    outside: image.slice(44 * MIB),
  };
}

/** Its volumes, and the SHA-256 of each as the kernel read it. */
export const GOLDEN_VOLUMES: readonly { readonly option: ThinVolumeOption; readonly hash: string }[] = [
  {
    option: { name: "thin", deviceId: 1, size: 100 * MIB },
    hash: "9db7d63573a19f9b21eaa08abc5b9d1d7ea04f6c7b771aea61df915196126bff",
  },
  {
    option: { name: "snap", deviceId: 2, size: 100 * MIB },
    hash: "722509ec5f81b6d797b451e94434691765b001b2b012cb13d61f3db4679fa7fd",
  },
  {
    option: { name: "over", deviceId: 3, size: 12 * MIB, externalOrigin: 2 },
    hash: "93224358ff0dc7a4a1d6e4f9662d88af311afc95b02c34803fc1c294062dc35f",
  },
];
