import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryLayer, Random } from "@cev/test-kit";
import { describe, expect, onTestFinished, test } from "vitest";
import { luksFormat } from "../src/index.ts";
import { environment } from "./small-volume.ts";

const KIB = 1024;
// No multiple of 64 KiB or of 4 KiB, so that every rounding counts.
const SIZE = 6 * KIB * KIB + 52 * KIB + 512;
const cost = { type: "pbkdf2", hash: "sha256", iterations: 1000 } as const;
const DATA_OFFSET = 512 * KIB;

const bytesOf = (text: string): Buffer => Buffer.from(text, "latin1");
const MD = bytesOf("\xfc\x4e\x2b\xa9");
const ZFS = bytesOf("\x0c\xb1\xba\0\0\0\0\0");

/** Where others keep what tells a device as theirs, counted from its end. */
const SIGNATURES: readonly (readonly [name: string, offset: number, bytes: Buffer])[] = [
  ["a GPT's second copy", SIZE - 512, bytesOf("EFI PART")],
  ["a GPT's second copy on a disk of blocks of 4 KiB", SIZE - 512 - 4096, bytesOf("EFI PART")],
  ["an md superblock 0.90", 6 * KIB * KIB - 64 * KIB, MD],
  ["an md superblock 0.90 of a big-endian machine", 6 * KIB * KIB - 64 * KIB, bytesOf("\xa9\x2b\x4e\xfc")],
  ["an md superblock 1.0", 6 * KIB * KIB + 44 * KIB, MD],
  ["a DDF anchor", SIZE - 512, bytesOf("\xde\x11\xde\x11")],
  ["an Intel RAID superblock", SIZE - 1024, bytesOf("Intel Raid ISM Cfg Sig. ")],
  ["a ZFS uberblock", 6 * KIB * KIB - 256 * KIB + 128 * KIB + 5 * KIB, ZFS],
  ["a ZFS uberblock of the other label", 6 * KIB * KIB - 512 * KIB + 255 * KIB, ZFS],
];

/** Formats a device that holds noise and the signature, and says which bytes behind the header are others now. */
async function changedBytes(
  contents: Uint8Array,
  blockSize: number,
): Promise<{ readonly offsets: number[]; readonly image: Uint8Array }> {
  const lower = new MemoryLayer(environment, {
    size: contents.length,
    contents: contents.slice(),
    blockSize,
  });
  await luksFormat(lower, {
    ...{ environment, keys: [bytesOf("k")], keySize: 32, cost },
    ...{ dataOffset: DATA_OFFSET, sectorSize: blockSize },
  });
  const offsets: number[] = [];
  // Up to here zeroes are written anyway.
  for (let at = DATA_OFFSET; at < contents.length; at++)
    if (lower.bytes[at] !== contents[at]) offsets.push(at);
  return { offsets, image: lower.bytes };
}

describe("luksFormat takes from the device's end what others would know it by", () => {
  test.each(SIGNATURES)("%s goes, and not one byte around it", async (_name, offset, signature) => {
    const contents = new Random(offset).bytes(SIZE);
    contents.set(signature, offset);
    const { offsets, image } = await changedBytes(contents, 512);
    const indexes = [...signature.keys()].filter((index) => signature[index] !== 0);
    expect(offsets).toEqual(indexes.map((index) => offset + index));
    expect(image.subarray(offset, offset + signature.length).every((byte) => byte === 0)).toBe(true);
  });

  test("noise at the end stays, and blocks of 4 KiB are written whole", async () => {
    const contents = new Random(1).bytes(SIZE - 512);
    expect((await changedBytes(contents, 4096)).offsets).toEqual([]);
    const gpt = contents.length - 4096;
    contents.set(bytesOf("EFI PART"), gpt);
    const expected = Array.from({ length: 8 }, (_, index) => gpt + index);
    expect((await changedBytes(contents, 4096)).offsets).toEqual(expected);
  });

  test("wipefs finds LUKS and nothing else", async ({ skip }) => {
    const contents = new Uint8Array(SIZE);
    for (const [name, offset, signature] of SIGNATURES)
      if (!name.includes("big-endian") && !name.includes("DDF")) contents.set(signature, offset);
    const { image } = await changedBytes(contents, 512);
    const folder = mkdtempSync(join(tmpdir(), "cev-end-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const typesOf = (bytes: Uint8Array): string[] => {
      const path = join(folder, "disk.img");
      writeFileSync(path, bytes);
      expect(readFileSync(path).length).toBe(SIZE);
      const { stdout, error } = spawnSync("/usr/sbin/wipefs", ["--noheadings", "-O", "TYPE", "-n", path], {
        encoding: "utf8",
      });
      if (error !== undefined) skip("no wipefs here");
      return [...new Set(stdout.split("\n").map((line) => line.trim()))].filter((line) => line !== "");
    };
    expect(typesOf(contents)).toContain("isw_raid_member");
    expect(typesOf(image)).toEqual(["crypto_LUKS"]);
  });
});
