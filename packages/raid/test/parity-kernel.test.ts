import { BufferPool } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { PARITY_KERNEL } from "../src/kernels/parity-kernel.ts";
import { xorPlain } from "../src/kernels/parity-plain.ts";

const pool = new BufferPool();

function randomBytes(seed: number, length: number): Uint8Array {
  let state = seed >>> 0;
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

describe("the parity kernel", () => {
  test.prop([
    fc.array(fc.record({ isInside: fc.boolean(), shift: fc.nat(17) }), { minLength: 1, maxLength: 12 }),
    fc.integer({ min: 1, max: 130 }).map((units) => units * 128),
    fc.nat(),
  ])("is equal to its plain twin, wherever the sources lie", (places, length, seed) => {
    const sources = places.map((_, index) => randomBytes(seed + index, length));
    const target = pool.acquire(length);
    const lent = places.map(({ isInside, shift }, index) => {
      if (!isInside) {
        const outside = new Uint8Array(length + shift);
        outside.set(sources[index]!, shift);
        return { bytes: outside, shift, buffer: null };
      }
      const buffer = pool.acquire(length + shift);
      buffer.bytes.set(sources[index]!, shift);
      return { bytes: buffer.bytes, shift, buffer };
    });
    const kernel = target.slab.kernel(PARITY_KERNEL);
    kernel.begin();
    for (const { bytes, shift } of lent) kernel.add(bytes, shift);
    kernel.xorTo(target.address, length);
    const expected = new Uint8Array(length);
    xorPlain(expected, sources);
    expect(Buffer.compare(target.bytes.subarray(0, length), expected)).toBe(0);
    lent.forEach(({ bytes, shift }, index) => {
      expect(Buffer.compare(bytes.subarray(shift, shift + length), sources[index]!)).toBe(0);
    });
    for (const { buffer } of lent) if (buffer !== null) pool.release(buffer);
    pool.release(target);
  });

  it("takes the target as its first source, and more sources than one call has room for", () => {
    const length = 256;
    const target = pool.acquire(length);
    const first = randomBytes(1, length);
    target.bytes.set(first);
    const sources = Array.from({ length: 600 }, (_, index) => randomBytes(index + 2, length));
    const kernel = target.slab.kernel(PARITY_KERNEL);
    kernel.begin();
    kernel.add(target.bytes, 0);
    for (const source of sources) kernel.add(source, 0);
    kernel.xorTo(target.address, length);
    const expected = new Uint8Array(length);
    xorPlain(expected, [first, ...sources]);
    expect(Buffer.compare(target.bytes.subarray(0, length), expected)).toBe(0);
    pool.release(target);
  });

  test.prop([fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 40 }), fc.nat(), fc.boolean()])(
    "tells whether the XOR of all sources is zero, to the last bit",
    (count, units, seed, isRight) => {
      const length = units * 128;
      const sources = Array.from({ length: count }, (_, index) => randomBytes(seed + index, length));
      const sum = new Uint8Array(length);
      xorPlain(sum, sources);
      if (!isRight) sum[seed % length]! ^= 1 << (seed % 8);
      const lent = [...sources, sum].map((bytes) => {
        const buffer = pool.acquire(length);
        buffer.bytes.set(bytes);
        return buffer;
      });
      const kernel = lent[0]!.slab.kernel(PARITY_KERNEL);
      kernel.begin();
      for (const { bytes } of lent) kernel.add(bytes, 0);
      expect(kernel.xorIsZero(length)).toBe(isRight);
      expect(kernel.isZero(lent[count]!.address, length)).toBe(sum.every((byte) => byte === 0));
      for (const buffer of lent) pool.release(buffer);
    },
  );
});
