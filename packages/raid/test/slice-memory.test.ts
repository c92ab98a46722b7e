import { BufferPool } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { memberShare, strideOf } from "../src/parity/slice-memory.ts";

describe("places of columns in one buffer", () => {
  test.prop([fc.integer({ min: 1, max: 512 }), fc.integer({ min: 1, max: 60 })], { numRuns: 300 })(
    "do not overlap, and fit into what the pool lends",
    (units, count) => {
      const buffers = new BufferPool();
      fc.pre(units * 512 * count <= buffers.bufferLengthMax);
      const stride = strideOf(buffers, units * 512, count);
      expect(stride).toBeGreaterThanOrEqual(units * 512);
      expect(stride % 64).toBe(0);
      expect(stride * count).toBeLessThanOrEqual(buffers.bufferLengthMax);
    },
  );

  it("lie at different places of a page where there is room, and side by side in a small pool", () => {
    expect(strideOf(new BufferPool(), 65_536, 3) % 4096).not.toBe(0);
    expect(strideOf(new BufferPool(), 65_536, 4)).toBe(65_536);
    expect(strideOf(new BufferPool(), 65_536, 8) % 4096).not.toBe(0);
    expect(strideOf(new BufferPool({ bytesMax: 2 ** 20 }), 65_536, 8)).toBe(65_536);
  });
});

describe("a member's share of a buffer", () => {
  test.prop([fc.integer({ min: 65_536, max: 2 ** 26 }), fc.integer({ min: 2, max: 60 })])(
    "is such that the pool can lend one for all members",
    (bytesMax, count) => {
      const buffers = new BufferPool({ bytesMax });
      expect(buffers.tryAcquire(memberShare(buffers, count) * count)).not.toBeNull();
    },
  );
});
