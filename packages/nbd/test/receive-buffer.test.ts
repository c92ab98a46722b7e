import { BufferPool } from "@cev/core";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ReceiveBuffer } from "../src/memory/receive-buffer.ts";
import { SharedBufferPool } from "../src/memory/shared-buffer.ts";
import type { SharedBuffer } from "../src/memory/shared-buffer.ts";

const LENGTH = 262_144;

test("messages of any length lie in one piece, however they arrive, also while their memory is held", () => {
  const message = fc.record({
    length: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: LENGTH - 4096 })),
    isHeld: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(message, { maxLength: 30 }),
      // One of them is no mere drip, or the test would take minutes.
      fc
        .tuple(
          fc.array(fc.integer({ min: 1, max: 200_000 }), { maxLength: 4 }),
          fc.integer({ min: 1000, max: 9000 }),
        )
        .map(([any, long]) => [...any, long]),
      fc.boolean(),
      (messages, arrivals, hasSmall) => {
        const buffers = new BufferPool();
        const pool = new SharedBufferPool(buffers, LENGTH);
        const small = new SharedBufferPool(buffers, hasSmall ? 16_384 : LENGTH);
        const receive = new ReceiveBuffer(pool, hasSmall ? small : pool);
        const held: { memory: SharedBuffer; at: number; length: number; first: number }[] = [];
        let sent = 0;
        let expected = 0;
        let turn = 0;
        for (const { length, isHeld } of messages) {
          while (receive.available < length) {
            const room = receive.room(length);
            expect(room.length).toBeGreaterThan(0);
            const count = Math.min(room.length, arrivals[turn++ % arrivals.length]!);
            for (let index = 0; index < count; index++) room[index] = sent++ % 251;
            receive.end += count;
          }
          const { memory, start } = receive;
          for (let index = 0; index < length; index += 97)
            expect(memory.bytes[start + index]).toBe((expected + index) % 251);
          if (isHeld && held.length < 4) {
            memory.retain();
            held.push({ memory, at: start, length, first: expected });
          }
          receive.start += length;
          expected += length;
        }
        // Nobody has written over what was held.
        for (const { memory, at, length, first } of held) {
          for (let index = 0; index < length; index += 97)
            expect(memory.bytes[at + index]).toBe((first + index) % 251);
          memory.release();
        }
        receive.close();
        pool.close();
        small.close();
        expect(buffers.bytesLent).toBe(0);
      },
    ),
    { numRuns: 60 },
  );
});

test("there is room even when everything is full of messages that may not be used yet", () => {
  const receive = new ReceiveBuffer(new SharedBufferPool(new BufferPool(), LENGTH));
  receive.end += receive.room(28).length;
  expect(receive.room(28).length).toBeGreaterThan(0);
});

test("there is room also for whoever asks for no more than is there", () => {
  const receive = new ReceiveBuffer(new SharedBufferPool(new BufferPool(), LENGTH));
  receive.room(28);
  receive.end += 200_000;
  for (const length of [28, 65_536, 100_000, 199_972, 200_000])
    expect(receive.room(length).length).toBeGreaterThan(0);
});

test("of what follows a long message no more than a head is received", () => {
  const receive = new ReceiveBuffer(new SharedBufferPool(new BufferPool(), LENGTH));
  receive.end += 1000;
  receive.start += 900;
  expect(receive.room(100_000)).toHaveLength(100_000 + 28 - 100);
  expect(receive.start).toBe(0);
});

test("without memory in the stack's pool a connection has its own all the same", () => {
  const buffers = new BufferPool({ bytesMax: 4096 });
  const pool = new SharedBufferPool(buffers, LENGTH);
  const buffer = pool.acquire();
  expect(buffer).toHaveLength(LENGTH);
  expect(buffers.bytesLent).toBe(0);
  buffer.release();
  pool.close();
});

describe("a connection with a small buffer first", () => {
  const pools = (): [SharedBufferPool, SharedBufferPool] => {
    const buffers = new BufferPool();
    return [new SharedBufferPool(buffers, LENGTH), new SharedBufferPool(buffers, 16_384)];
  };

  test("keeps it while little comes", () => {
    const receive = new ReceiveBuffer(...pools());
    for (let round = 0; round < 500; round++) {
      receive.room(28);
      receive.end += 4124;
      receive.start = receive.end;
    }
    expect(receive.memory).toHaveLength(16_384);
  });

  test("takes a large one for a long message, and when it was filled", () => {
    const byLength = new ReceiveBuffer(...pools());
    expect(byLength.room(60_000).length).toBeGreaterThanOrEqual(60_000);
    const byFilling = new ReceiveBuffer(...pools());
    const { length } = byFilling.room(28);
    byFilling.end += length;
    byFilling.start = byFilling.end;
    byFilling.room(28);
    expect(byFilling.memory).toHaveLength(LENGTH);
  });

  test("gives the large one back when little has come for long", () => {
    const receive = new ReceiveBuffer(...pools());
    receive.end += receive.room(60_000).length;
    receive.start = receive.end;
    for (let round = 0; round < 70; round++) {
      receive.room(28);
      receive.end += 28;
      receive.start = receive.end;
    }
    expect(receive.memory).toHaveLength(16_384);
  });

  test("is told the same longest message, whatever it has", () => {
    const [large, small] = pools();
    expect(new ReceiveBuffer(large, small).capacity).toBe(new ReceiveBuffer(large).capacity);
  });
});
