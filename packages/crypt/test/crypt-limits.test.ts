import { MemoryLayer, SimulatedWorld } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { CryptLayer } from "../src/index.ts";
import { cryptOver, segmentOf } from "./crypt-over.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

describe("limits", () => {
  const { environment } = new SimulatedWorld({ seed: 9 });

  test.each([
    [512, 512, 512],
    [512, 4096, 4096],
    [4096, 512, 4096],
    [4096, 4096, 4096],
  ])("a device of blocks of %i and sectors of %i take requests of %i", (blockSize, sectorSize, expected) => {
    const memory = new MemoryLayer(environment, { size: MIB, blockSize });
    expect(cryptOver(memory, environment, { sectorSize }).limits.logicalBlockSize).toBe(expected);
  });

  test("the size is the segment's, in whole sectors", () => {
    const memory = new MemoryLayer(environment, { size: MIB + 512 });
    expect(cryptOver(memory, environment, { sectorSize: 4096 }).limits.size).toBe(MIB - 32 * KIB);
    expect(cryptOver(memory, environment, { size: 8192 }).limits.size).toBe(8192);
  });

  test("requests are no longer than the pool can ever lend", () => {
    const small = new SimulatedWorld({ seed: 9, buffers: { bytesMax: 300_000 } }).environment;
    const memory = new MemoryLayer(small, { size: MIB });
    expect(cryptOver(memory, small).limits.ioLengthMax).toBe(262_144);
  });

  test("a segment that begins within a block of the device is refused", () => {
    const memory = new MemoryLayer(environment, { size: MIB, blockSize: 4096 });
    expect(() => cryptOver(memory, environment, { offset: 512 })).toThrow(
      expect.objectContaining({ code: "CEV_INVALID" }),
    );
  });

  test.each([
    ["aes-cbc-essiv:sha1", 32],
    ["aes-xts-plain64", 40],
    ["blowfish-cbc-plain64", 16],
  ])("%s with a key of %i bytes is refused by name", (encryption, keySize) => {
    const memory = new MemoryLayer(environment, { size: MIB });
    const options = { environment, segment: segmentOf({ encryption }), volumeKey: new Uint8Array(keySize) };
    expect(() => new CryptLayer(memory, options)).toThrow(
      expect.objectContaining({
        code: "CEV_UNKNOWN_FEATURE",
        message: expect.stringContaining(encryption) as string,
      }),
    );
  });
});
