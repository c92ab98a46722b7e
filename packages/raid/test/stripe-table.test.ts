import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { StripeTable } from "../src/parity/stripe-table.ts";
import type { StripeEntry } from "../src/parity/stripe-table.ts";

interface Entry extends StripeEntry<Entry> {
  readonly name: number;
}

describe("a table of stripes", () => {
  const steps = fc.array(
    fc.record({ isAdded: fc.boolean(), stripe: fc.constantFrom(0, 1, 1024, 2048, 2 ** 33, 2 ** 33 + 1) }),
    { maxLength: 60 },
  );

  test.prop([steps], { numRuns: 200 })("finds what was added last, until it is taken out", (program) => {
    const table = new StripeTable<Entry>();
    const model: Entry[] = [];
    program.forEach(({ isAdded, stripe }, name) => {
      const newest = (): Entry | null => model.findLast((entry) => entry.stripe === stripe) ?? null;
      if (isAdded) {
        const entry: Entry = { stripe, name, following: null };
        table.add(entry);
        model.push(entry);
      } else {
        // Any of those there, not only the newest; and one that is not there.
        const entry = model.find((other) => other.stripe === stripe) ?? { stripe, name, following: null };
        table.remove(entry);
        if (model.includes(entry)) model.splice(model.indexOf(entry), 1);
      }
      expect(table.get(stripe)).toBe(newest());
      expect(table.count).toBe(model.length);
    });
  });
});
