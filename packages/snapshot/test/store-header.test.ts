import { MetadataError } from "@cev/core";
import { describe, expect, test } from "vitest";
import { decodeHeader, encodeHeader } from "../src/index.ts";
import type { HeaderBounds } from "../src/index.ts";

const BOUNDS: HeaderBounds = { source: "cow.img", logicalBlockSize: 512, chunkSizeMax: 8 * 1024 * 1024 };
// As the kernel writes it for chunks of 8 sectors.
const KERNEL = Uint8Array.of(0x53, 0x6e, 0x41, 0x70, 1, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0);

function header(changes: Readonly<Record<number, number>> = {}): Uint8Array {
  const bytes = new Uint8Array(4096);
  bytes.set(KERNEL);
  for (const [at, value] of Object.entries(changes)) bytes[Number(at)] = value;
  return bytes;
}

function faultOf(bytes: Uint8Array, bounds: HeaderBounds = BOUNDS): MetadataError {
  try {
    decodeHeader(bytes, bounds);
  } catch (error) {
    if (error instanceof MetadataError) return error;
  }
  throw new Error("the header was accepted");
}

test("a header is encoded as the kernel writes it, and decoded as it was", () => {
  expect(encodeHeader({ isValid: true, chunkSize: 4096 }).subarray(0, 16)).toEqual(KERNEL);
  for (const isValid of [true, false])
    for (const chunkSize of [512, 16_384, 8 * 1024 * 1024])
      expect(decodeHeader(encodeHeader({ isValid, chunkSize }), BOUNDS)).toEqual({ isValid, chunkSize });
});

test("a store is new where its first 4096 bytes are zero, and nowhere else", () => {
  expect(decodeHeader(new Uint8Array(4096), BOUNDS)).toBeNull();
  for (const at of [4, 15, 16, 511, 4095])
    expect(faultOf(new Uint8Array(4096).fill(7, at, at + 1)).place).toMatchObject({
      field: "magic",
      byteOffset: at,
    });
});

describe("a header that cannot be accepted is refused with its place", () => {
  test.each([
    ["another magic", { 0: 0x54 }, "magic", 0, "CEV_BAD_METADATA"],
    ["a state of neither kind", { 4: 2 }, "valid", 4, "CEV_BAD_METADATA"],
    ["a later version", { 8: 2 }, "version", 8, "CEV_UNKNOWN_FEATURE"],
    ["version 0", { 8: 0 }, "version", 8, "CEV_UNKNOWN_FEATURE"],
    ["chunks of no sectors", { 12: 0 }, "chunk_size", 12, "CEV_BAD_METADATA"],
    ["chunks of three sectors", { 12: 3 }, "chunk_size", 12, "CEV_BAD_METADATA"],
    ["chunks of 8 GiB", { 12: 0, 15: 1 }, "chunk_size", 12, "CEV_BAD_METADATA"],
    ["chunks of 1 TiB", { 12: 0, 15: 0x80 }, "chunk_size", 12, "CEV_BAD_METADATA"],
  ] as const)("%s", (_what, changes, field, byteOffset, code) => {
    const fault = faultOf(header(changes));
    expect(fault.code).toBe(code);
    expect(fault.place).toMatchObject({
      source: "cow.img",
      structure: "snapshot store header",
      field,
      byteOffset,
    });
  });

  test("chunks smaller than a block of the disks", () => {
    const fault = faultOf(header({ 12: 4 }), { ...BOUNDS, logicalBlockSize: 4096 });
    expect(fault.place).toMatchObject({ field: "chunk_size" });
  });

  test("fewer bytes than it has", () => {
    expect(faultOf(KERNEL.subarray(0, 12)).place).toMatchObject({ field: "magic" });
  });
});

test("each flipped bit of a header is refused, makes the store invalid, or changes its chunks", () => {
  for (let bit = 0; bit < 128; bit++) {
    const bytes = header({ [bit >> 3]: (KERNEL[bit >> 3] ?? 0) ^ (1 << (bit & 7)) });
    try {
      const found = decodeHeader(bytes, BOUNDS)!;
      expect(found.isValid && found.chunkSize === 4096, `bit ${bit}`).toBe(false);
      // A single bit away from a power of two lies no other one.
      expect(found.chunkSize).toBe(4096);
    } catch (error) {
      expect(error, `bit ${bit}`).toBeInstanceOf(MetadataError);
    }
  }
});
