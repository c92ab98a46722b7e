import { fc, test } from "@fast-check/vitest";
import { expect } from "vitest";
import { areEqual, bytesOf, textOf } from "../src/disk/bytes.ts";

const bytes = fc.oneof(fc.uint8Array({ maxLength: 100 }), fc.uint8Array({ max: 0x7f, maxLength: 100 }));

test.prop([bytes])("each byte is one character, and comes back from it", (value) => {
  const text = textOf(value);
  expect(Array.from(text, (character) => character.charCodeAt(0))).toEqual([...value]);
  expect(bytesOf(text)).toEqual(value);
});

test("long texts with bytes of all values come back, too", () => {
  const long = Uint8Array.from({ length: 100_000 }, (_, index) => (index * 7) & 255);
  expect(areEqual(bytesOf(textOf(long)), long)).toBe(true);
});

test.prop([bytes, fc.nat(3), fc.nat(3), fc.nat(200), fc.integer({ min: 1, max: 255 })])(
  "arrays are equal byte for byte, wherever in memory they lie",
  (value, leftShift, rightShift, at, change) => {
    const place = (shift: number): Uint8Array => {
      const copy = new Uint8Array(shift + value.length).subarray(shift);
      copy.set(value);
      return copy;
    };
    const [left, right] = [place(leftShift), place(rightShift)];
    expect(areEqual(left, right)).toBe(true);
    expect(areEqual(left, right.subarray(1))).toBe(value.length === 0);
    if (value.length === 0) return;
    right[at % value.length]! ^= change;
    expect(areEqual(left, right)).toBe(false);
  },
);
