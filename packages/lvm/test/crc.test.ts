import { fc, test } from "@fast-check/vitest";
import { expect } from "vitest";
import { lvmCrc, plainLvmCrc } from "../src/disk/crc.ts";
import { loadGolden } from "./support/golden.ts";

test("the checksum is that of a label made by LVM2", () => {
  const { bytes } = loadGolden("lvm").images[0]!;
  const sector = bytes.subarray(512, 1024);
  const stored = new DataView(sector.buffer, sector.byteOffset).getUint32(16, true);
  expect(lvmCrc(sector.subarray(20))).toBe(stored);
  expect(plainLvmCrc(sector.subarray(20))).toBe(stored);
});

test.prop([fc.uint8Array({ maxLength: 600 })])("with and without zlib it is the same number", (bytes) => {
  expect(plainLvmCrc(bytes)).toBe(lvmCrc(bytes));
});
