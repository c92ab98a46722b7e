import { readFileSync } from "node:fs";
import { brotliDecompressSync } from "node:zlib";
import { readGoldenManifest } from "../../../tests/interop/golden/unpack.ts";
import { BINARY_LENGTH, decodeLuks2Header, encodeLuks2Header } from "../src/luks2/header.ts";

/** What the tests change in a header: plain JSON, of any shape. */
export type Metadata = Record<string, Record<string, Record<string, unknown>>>;

/** The golden image with cheap keyslots (pbkdf2), as bytes of one's own, and the passphrase that opens it. */
export function goldenImage(name = "luks-pbkdf2"): {
  readonly bytes: Uint8Array;
  readonly passphrase: Uint8Array;
} {
  const file = new URL(`../../../tests/interop/golden/${name}/disk0.img.br`, import.meta.url);
  return {
    bytes: Uint8Array.from(brotliDecompressSync(readFileSync(file))),
    passphrase: Buffer.from(readGoldenManifest(name).passphrase!),
  };
}

/** The JSON text of the header copy at `byteOffset`. */
export function jsonOf(image: Uint8Array, byteOffset = 0): string {
  const area = image.subarray(byteOffset + BINARY_LENGTH);
  return Buffer.from(area.subarray(0, area.indexOf(0))).toString("utf8");
}

/** Writes a header copy anew with a JSON text of one's choice, its checksum right. Returns the image. */
export function putJson(image: Uint8Array, byteOffset: number, json: string, sequenceStep = 0n): Uint8Array {
  const header = decodeLuks2Header(image.subarray(byteOffset), { source: "image", byteOffset });
  image.set(encodeLuks2Header({ ...header, sequenceId: header.sequenceId + sequenceStep }, json), byteOffset);
  return image;
}

/** Changes the metadata in both header copies. Returns the image. */
export function changeMetadata(image: Uint8Array, change: (metadata: Metadata) => void): Uint8Array {
  const metadata = JSON.parse(jsonOf(image)) as Metadata;
  change(metadata);
  const { headerSize } = decodeLuks2Header(image, { source: "image", byteOffset: 0 });
  putJson(image, 0, JSON.stringify(metadata));
  return putJson(image, headerSize, JSON.stringify(metadata));
}
