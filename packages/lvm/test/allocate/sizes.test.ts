import { describe, expect, test } from "vitest";
import { parseAmount, parsePlainSize, parseSize, shareOf } from "../../src/allocate/sizes.ts";

test.each([
  ["10", 10 * 2 ** 20],
  ["10m", 10 * 2 ** 20],
  ["10M", 10 * 2 ** 20],
  ["1.5g", 1.5 * 2 ** 30],
  [".5k", 512],
  ["3s", 1536],
  ["4096b", 4096],
  ["2tb", 2 ** 41],
  [12_345, 12_345],
  ["0", 0],
])("the size %s is %s bytes", (text, bytes) => {
  expect(parsePlainSize(text, "x")).toBe(bytes);
});

test.each(["", "m", "1x", "1 m", "--1", "1e3", "9000p", "8e", -1, 0.5, Number.NaN, "1.2.3"])(
  "%s is no size",
  (text) => {
    expect(() => parsePlainSize(text, "x")).toThrow(expect.objectContaining({ code: "CEV_INVALID" }));
  },
);

test("signs stand in front, where they make sense", () => {
  expect(parseSize("+1g", "x")).toEqual({ sign: "+", bytes: 2 ** 30 });
  expect(parseSize("-512k", "x")).toEqual({ sign: "-", bytes: 2 ** 19 });
  expect(() => parsePlainSize("+1g", "x")).toThrow(/sign/);
});

describe("extents are", () => {
  test.each([
    ["100", { kind: "extents", sign: "", extentCount: 100 }],
    [7, { kind: "extents", sign: "", extentCount: 7 }],
    ["-3", { kind: "extents", sign: "-", extentCount: 3 }],
    ["50%vg", { kind: "share", sign: "", percent: 50, of: "VG" }],
    ["+100%FREE", { kind: "share", sign: "+", percent: 100, of: "FREE" }],
    ["120%ORIGIN", { kind: "share", sign: "", percent: 120, of: "ORIGIN" }],
  ])("%s", (text, amount) => {
    expect(parseAmount(undefined, text)).toEqual(amount);
  });

  test.each(["1.5", "10%", "10%FOO", "101%FREE", "200%VG", "4294967296", "x", -1.5])("not %s", (text) => {
    expect(() => parseAmount(undefined, text)).toThrow(expect.objectContaining({ code: "CEV_INVALID" }));
  });
});

test("shares round as they are asked to", () => {
  expect(shareOf(33, 100, "down")).toBe(33);
  expect(shareOf(1, 150, "down")).toBe(1);
  expect(shareOf(1, 150, "up")).toBe(2);
  expect(shareOf(100, 7, "up")).toBe(7);
});
