import { createHash } from "node:crypto";
import { environmentFrom, formatError, isCevError, openTree } from "@cev/core";
import { luksDump } from "@cev/crypt";
import { MemoryLayer } from "@cev/test-kit";
import { spawnSync } from "node:child_process";
import { closeSync, openSync, writeSync } from "node:fs";

const COPY = 16_384;
const JSON_OFFSET = 4096;
const CHECKSUM_OFFSET = 448;
const environment = environmentFrom(globalThis);

/** What somebody says of a header. */
export interface Judgement {
  readonly isValid: boolean;
  readonly text: string;
}

/** Writes both header copies of an image with this metadata, their checksums right. Null: the text does not fit. */
export function forge(image: Uint8Array, text: Uint8Array): boolean {
  if (text.length > COPY - JSON_OFFSET) return false;
  for (const at of [0, COPY]) {
    const copy = image.subarray(at, at + COPY);
    copy.fill(0, JSON_OFFSET);
    copy.set(text, JSON_OFFSET);
    seal(copy);
  }
  return true;
}

/** Makes the checksum of a header copy right. */
export function seal(copy: Uint8Array): void {
  copy.fill(0, CHECKSUM_OFFSET, CHECKSUM_OFFSET + 64);
  copy.set(createHash("sha256").update(copy).digest(), CHECKSUM_OFFSET);
}

/** cryptsetup's judgement of a file that holds the image, whose header copies are written anew. */
export function cryptsetupOn(path: string, image: Uint8Array): Judgement {
  const file = openSync(path, "r+");
  writeSync(file, image, 0, 2 * COPY, 0);
  closeSync(file);
  const { status, stdout, stderr, signal } = spawnSync("cryptsetup", ["luksDump", "--disable-locks", path], {
    encoding: "utf8",
    timeout: 20_000,
  });
  return { isValid: status === 0, text: signal === null ? `${stdout}${stderr}` : `ended by ${signal}` };
}

/** cev's judgement. Anything but a judgement is thrown. */
export async function cevOn(image: Uint8Array): Promise<Judgement> {
  const lower = new MemoryLayer(environment, { size: image.length, contents: image });
  await openTree(lower);
  try {
    const dump = await luksDump(lower, { environment });
    return {
      isValid: true,
      text: JSON.stringify(dump, (_, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
    };
  } catch (error) {
    if (isCevError(error) && error.code === "CEV_BAD_METADATA" && error.place.byteOffset !== undefined)
      return { isValid: false, text: formatError(error) };
    throw error;
  }
}
