import { expect, test } from "vitest";
import { crc32c } from "../src/index.ts";

test("a CRC-32C of the digits 1 to 9 is what the literature says, once it is inverted at the end", () => {
  expect(~crc32c(0xffff_ffff, new TextEncoder().encode("123456789")) >>> 0).toBe(0xe306_9283);
});

test("a CRC-32C can be taken piece by piece", () => {
  const bytes = new TextEncoder().encode("in two pieces");
  expect(crc32c(crc32c(1, bytes.subarray(0, 5)), bytes.subarray(5))).toBe(crc32c(1, bytes));
});
