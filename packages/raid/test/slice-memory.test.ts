import { BufferPool } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { memberShare } from "../src/parity/slice-memory.ts";

describe("a member's share of a buffer", () => {
  test.prop([fc.integer({ min: 65_536, max: 2 ** 26 }), fc.integer({ min: 2, max: 60 })])(
    "is such that the pool can lend one for all members",
    (bytesMax, count) => {
      const buffers = new BufferPool({ bytesMax });
      expect(buffers.tryAcquire(memberShare(buffers, count) * count)).not.toBeNull();
    },
  );
});
