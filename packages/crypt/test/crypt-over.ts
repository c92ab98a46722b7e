import type { Environment, Layer } from "@cev/core";
import { CryptLayer } from "../src/index.ts";
import type { CryptSegment } from "../src/index.ts";

export const KEY: Uint8Array<ArrayBuffer> = Uint8Array.from({ length: 64 }, (_, index) => index * 3);

/** A segment that begins at 32 KiB and goes to the end. */
export function segmentOf(overrides: Partial<CryptSegment> = {}): CryptSegment {
  return {
    offset: 32 * 1024,
    size: null,
    ivTweak: 0,
    encryption: "aes-xts-plain64",
    sectorSize: 512,
    ...overrides,
  };
}

export function cryptOver(
  lower: Layer,
  environment: Environment,
  overrides: Partial<CryptSegment> = {},
): CryptLayer {
  return new CryptLayer(lower, { environment, segment: segmentOf(overrides), volumeKey: KEY });
}
