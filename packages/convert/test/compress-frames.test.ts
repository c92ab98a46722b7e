import * as zlib from "node:zlib";
import { Device, closeTree, environmentFrom, openTree } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { CompressLayer, formatCompressed } from "../src/index.ts";
import { compressChunk, expandChunk, hasZstd } from "../src/compress/codec.ts";
import { crc32 } from "../src/compress/crc32.ts";
import { ENTRY_LENGTH, Kind, encodeEntry } from "../src/compress/entry.ts";
import { encodeMapSector } from "../src/compress/map-sector.ts";

const KIB = 1024;
const CHUNK = 4 * KIB;
const environment = environmentFrom(globalThis);

/** What a frame made by hand says of itself; its blocks follow. */
interface FrameOptions {
  /** Bytes, or not said. */
  readonly declared?: number;
  /** The window as the format writes it: exponent above 1 KiB, and eighths. Without one, the frame is one segment. */
  readonly window?: readonly [exponent: number, eighths: number];
  readonly dictionary?: boolean;
  /** Bytes that are all 7. Each block holds as many as it may. */
  readonly length: number;
}

/** What is no plain array of bytes is not equal to one. */
function expanded(kind: Kind, stored: Uint8Array): Uint8Array | null {
  const chunk = expandChunk(kind, stored, CHUNK);
  return chunk === null ? null : new Uint8Array(chunk);
}

/** RFC 8878, 3.1.1. */
function frameOf({ declared, window, dictionary = false, length }: FrameOptions): Uint8Array {
  const bytes = [0x28, 0xb5, 0x2f, 0xfd];
  const sizeFlag = declared === undefined ? 0 : 3;
  bytes.push((sizeFlag << 6) | (window === undefined ? 0x20 : 0) | (dictionary ? 1 : 0));
  if (window !== undefined) bytes.push((window[0] << 3) | window[1]);
  if (dictionary) bytes.push(9);
  if (declared !== undefined)
    for (let at = 0; at < 8; at++) bytes.push(Math.floor(declared / 2 ** (8 * at)) % 256);
  else if (window === undefined) bytes.push(length);
  const blockMax = 128 * KIB;
  for (let left = length; left >= 0; left -= blockMax) {
    const isLast = left <= blockMax;
    const header = (Math.min(left, blockMax) << 3) | (1 << 1) | (isLast ? 1 : 0);
    bytes.push(header & 255, (header >> 8) & 255, header >> 16, 7);
    if (isLast) break;
  }
  return Uint8Array.from(bytes);
}

const joined = (...parts: Uint8Array[]): Uint8Array => new Uint8Array(Buffer.concat(parts));
const skipped = Uint8Array.of(0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0, 1, 2, 3, 4);
const right = frameOf({ declared: CHUNK, length: CHUNK });

describe.skipIf(!hasZstd())("of frames of zstd", () => {
  test("one that says how long it is, and is that long, is a chunk", () => {
    const chunk = new Uint8Array(CHUNK).fill(7);
    expect(expanded(Kind.zstd, right)).toEqual(chunk);
    expect(expanded(Kind.zstd, frameOf({ declared: CHUNK, window: [2, 0], length: CHUNK }))).toEqual(chunk);
  });

  test.each<[string, Uint8Array]>([
    ["a window of 128 MiB", frameOf({ declared: CHUNK, window: [17, 0], length: CHUNK })],
    ["the largest window of all", frameOf({ declared: CHUNK, window: [31, 7], length: CHUNK })],
    ["a window an eighth larger than a chunk", frameOf({ declared: CHUNK, window: [2, 1], length: CHUNK })],
    ["no length, and a window of 128 MiB", frameOf({ window: [17, 0], length: CHUNK })],
    ["no length", frameOf({ window: [2, 0], length: CHUNK })],
    ["a length of 128 MiB", frameOf({ declared: 128 * KIB * KIB, length: 128 * KIB * KIB })],
    ["a length of 2^63", frameOf({ declared: 2 ** 63, length: CHUNK })],
    ["a length of 128 MiB, and less in it", frameOf({ declared: 128 * KIB * KIB, length: CHUNK })],
    ["one byte more than it says", frameOf({ declared: CHUNK, length: CHUNK + 1 })],
    ["one byte less than it says", frameOf({ declared: CHUNK, length: CHUNK - 1 })],
    ["half a chunk", frameOf({ declared: CHUNK / 2, length: CHUNK / 2 })],
    ["a dictionary", frameOf({ declared: CHUNK, length: CHUNK, dictionary: true })],
    ["something to be skipped before it", joined(skipped, right)],
    [
      "a second one behind it, with a window of 128 MiB",
      joined(
        frameOf({ declared: CHUNK, length: 0 }).subarray(0, 13),
        frameOf({ window: [17, 0], length: CHUNK }),
      ),
    ],
    ["another chunk behind it", joined(right, right)],
    ["nothing behind its header", right.subarray(0, 13)],
    ["less than a header", right.subarray(0, 6)],
    ["nothing", new Uint8Array(0)],
  ])("one with %s is none", (_, frame) => {
    expect(expandChunk(Kind.zstd, frame, CHUNK)).toBeNull();
  });

  test("one with any bit changed is a chunk of that length, or none", () => {
    const frame = compressChunk(
      Kind.zstd,
      1,
      Buffer.from("some words and ".repeat(CHUNK)).subarray(0, CHUNK),
    );
    for (let bit = 0; bit < frame.length * 8; bit++) {
      frame[bit >> 3]! ^= 1 << (bit & 7);
      expect([undefined, CHUNK]).toContain(expandChunk(Kind.zstd, frame, CHUNK)?.length);
      frame[bit >> 3]! ^= 1 << (bit & 7);
    }
  });

  test("what is written says its length, and takes no window longer than a chunk, at all levels and lengths", () => {
    for (const chunkSize of [4 * KIB, 32 * KIB, 256 * KIB, 1024 * KIB])
      for (const level of chunkSize > 256 * KIB ? [1, 9] : [1, 2, 3, 4, 5, 6, 7, 8, 9]) {
        const chunk = Buffer.from("some words and ".repeat(chunkSize)).subarray(0, chunkSize);
        const back = expandChunk(Kind.zstd, compressChunk(Kind.zstd, level, chunk), chunkSize);
        expect(back !== null && Buffer.compare(back, chunk) === 0).toBe(true);
      }
  });

  test("one that asks for much, under a right checksum, fails the read of its chunk with CEV_MEDIUM", async () => {
    const disk = new MemoryLayer(environment, { size: 256 * KIB });
    await openTree(disk);
    const superblock = await formatCompressed(disk, environment, {
      chunkSize: CHUNK,
      journalLength: 16 * KIB,
    });
    const frame = frameOf({ window: [17, 0], length: CHUNK });
    const entries = new Uint8Array(2 * ENTRY_LENGTH);
    for (const [index, stored] of [frame, right].entries()) {
      disk.bytes.set(stored, superblock.dataOffset + (index * CHUNK) / 8);
      encodeEntry(new DataView(entries.buffer), index * ENTRY_LENGTH, {
        ...{ kind: Kind.zstd, firstUnit: index, unitCount: 1 },
        ...{ storedLength: stored.length, checksum: crc32(stored) },
      });
    }
    disk.bytes.set(encodeMapSector(0, superblock.formatId, { epoch: 1, entries }), superblock.mapOffset);
    const device = await Device.open(new CompressLayer(disk, { superblock, environment }), environment);
    await expect(device.read(0, CHUNK)).rejects.toMatchObject({ code: "CEV_MEDIUM" });
    expect(await device.read(CHUNK, CHUNK)).toEqual(new Uint8Array(CHUNK).fill(7));
    await device.close();
    await closeTree(disk);
  });
});

test("of deflated bytes, those that come to more or less than a chunk are none", () => {
  const pack = (length: number): Uint8Array => zlib.deflateRawSync(new Uint8Array(length).fill(7));
  expect(expanded(Kind.deflate, pack(CHUNK))).toEqual(new Uint8Array(CHUNK).fill(7));
  for (const length of [0, CHUNK - 1, CHUNK + 1, 64 * KIB * KIB])
    expect(expandChunk(Kind.deflate, pack(length), CHUNK)).toBeNull();
});
