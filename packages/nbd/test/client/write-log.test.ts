import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Scatter } from "../../src/client/scatter.ts";
import { WriteLog, costOf } from "../../src/client/write-log.ts";

const SIZE = 64;

describe("what was answered and not flushed", () => {
  const range = fc
    .tuple(fc.integer({ min: 0, max: SIZE - 1 }), fc.integer({ min: 1, max: 20 }))
    .map(([offset, length]) => ({ offset, length: Math.min(length, SIZE - offset) }));
  const steps = fc.array(
    fc.oneof(
      fc.record({ kind: fc.constantFrom("write", "zeroes", "durable"), range }),
      fc.record({ kind: fc.constant("flush" as const), back: fc.integer({ min: 0, max: 5 }) }),
    ),
    { maxLength: 40 },
  );

  test("is the newest of each byte that no flush covers, once, whatever was written over what", () => {
    fc.assert(
      fc.property(steps, (all) => {
        const log = new WriteLog();
        // Of each byte: its value and when it was answered; null: durable.
        const model = Array.from({ length: SIZE }, (): { value: number; sequence: number } | null => null);
        let stamp = 0;
        for (const step of all) {
          if (step.kind === "flush") {
            const mark = log.sequence - step.back;
            log.dropUpTo(mark);
            for (const [at, byte] of model.entries())
              if (byte !== null && byte.sequence <= mark) model[at] = null;
            continue;
          }
          const { offset, length } = step.range;
          const value = step.kind === "zeroes" ? 0 : (++stamp % 255) + 1;
          if (step.kind === "durable") log.cut(offset, length);
          else log.add(offset, length, value === 0 ? null : new Uint8Array(length).fill(value));
          const sequence = log.sequence;
          model.fill(step.kind === "durable" ? null : { value, sequence }, offset, offset + length);
        }
        const found = Array.from({ length: SIZE }, (): number | null => null);
        let end = 0;
        let bytes = 0;
        const memories = new Set<unknown>();
        for (const { offset, length, data } of log.entries) {
          expect(offset).toBeGreaterThanOrEqual(end);
          expect(data?.length ?? length).toBe(length);
          end = offset + length;
          bytes += costOf(data?.buffer.byteLength ?? 0);
          // Memory is no more than twice what is used of it, and nobody else's.
          if (data !== null) {
            expect(data.buffer.byteLength).toBeLessThanOrEqual(2 * data.length);
            expect(memories).not.toContain(data.buffer);
            memories.add(data.buffer);
          }
          for (let at = 0; at < length; at++) found[offset + at] = data?.[at] ?? 0;
        }
        expect(found).toEqual(model.map((byte) => byte?.value ?? null));
        expect(log.bytes).toBe(bytes);
        expect(log.isEmpty).toBe(log.entries.length === 0);
      }),
      { numRuns: 500 },
    );
  });
});

describe("the parts of a read", () => {
  test("come in any order, and each byte once", () => {
    const parts = fc.array(
      fc.tuple(fc.integer({ min: -2, max: SIZE + 2 }), fc.integer({ min: 0, max: 16 })),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(parts, (all) => {
        const scatter = new Scatter();
        scatter.begin(SIZE);
        const has = new Array<boolean>(SIZE).fill(false);
        for (const [start, length] of all) {
          const end = start + length;
          const isFine =
            start >= 0 && length > 0 && end <= SIZE && !has.slice(start, end).some((isThere) => isThere);
          expect(scatter.add(start, end)).toBe(isFine);
          if (isFine) has.fill(true, start, end);
        }
        const gap = has.indexOf(false);
        expect(scatter.isComplete).toBe(gap < 0);
        expect(scatter.coveredEnd).toBe(gap < 0 ? SIZE : gap);
      }),
      { numRuns: 500 },
    );
  });
});
