import { describe, expect, test } from "vitest";
import { refuseExternalMetadata } from "../src/metadata/external-metadata.ts";
import type { ScanTarget } from "../src/metadata/member-scan.ts";

const SIZE = 1024 * 1024;

function targetOf(bytes: Uint8Array): ScanTarget {
  return {
    source: "disk0",
    size: bytes.length,
    read: (offset, length) => Promise.resolve(bytes.slice(offset, offset + length)),
  };
}

function put(bytes: Uint8Array, at: number, text: string): Uint8Array {
  bytes.set(Buffer.from(text, "latin1"), at);
  return bytes;
}

describe("a member of a firmware RAID", () => {
  test("is refused by name where it carries the anchor of a DDF container", async () => {
    const bytes = put(new Uint8Array(SIZE), SIZE - 512, "\xde\x11\xde\x11");
    put(bytes, SIZE - 512 + 32, "01.02.00");
    await expect(refuseExternalMetadata(targetOf(bytes))).rejects.toMatchObject({
      code: "CEV_UNKNOWN_FEATURE",
      message: expect.stringContaining("a DDF container") as unknown,
      place: { source: "disk0", byteOffset: SIZE - 512 },
    });
  });

  test("is refused by name where it carries Intel's signature", async () => {
    const bytes = put(new Uint8Array(SIZE), SIZE - 1024, "Intel Raid ISM Cfg Sig. 1.3.00");
    await expect(refuseExternalMetadata(targetOf(bytes))).rejects.toMatchObject({
      code: "CEV_UNKNOWN_FEATURE",
      message: expect.stringContaining("IMSM") as unknown,
      place: { source: "disk0", byteOffset: SIZE - 1024 },
    });
  });

  test("is not seen in four bytes that stand there by chance, nor on a device of a sector or less", async () => {
    const bytes = put(new Uint8Array(SIZE), SIZE - 512, "\xde\x11\xde\x11");
    await expect(refuseExternalMetadata(targetOf(bytes))).resolves.toBeUndefined();
    for (const size of [0, 511, 512, 1023])
      await expect(refuseExternalMetadata(targetOf(new Uint8Array(size)))).resolves.toBeUndefined();
  });
});
