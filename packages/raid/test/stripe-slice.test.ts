import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { RAID5_LAYOUTS } from "../src/levels/raid5.ts";
import { chooseParityWay, nextSlice } from "../src/parity/stripe-slice.ts";
import type { ParityChoice } from "../src/parity/stripe-slice.ts";
import { StripeMap } from "../src/levels/stripe.ts";

const UNIT = 512;

describe("nextSlice", () => {
  const shape = fc
    .record({ dataCount: fc.integer({ min: 1, max: 6 }), chunkUnits: fc.constantFrom(8, 16, 32) })
    .chain(({ dataCount, chunkUnits }) =>
      fc.record({
        dataCount: fc.constant(dataCount),
        chunkUnits: fc.constant(chunkUnits),
        start: fc.nat(dataCount * chunkUnits - 1),
        length: fc.integer({ min: 1, max: dataCount * chunkUnits }),
        lengthMax: fc.constantFrom(1, 2, 8, 64),
      }),
    );

  test.prop([shape])(
    "covers every byte of the range once and no other, in rectangles",
    ({ dataCount, chunkUnits, start, length, lengthMax }) => {
      const chunkSize = chunkUnits * UNIT;
      const map = new StripeMap({ layout: RAID5_LAYOUTS[2]!, chunkSize, memberCount: dataCount + 1 });
      const end = Math.min(start + length, dataCount * chunkUnits);
      const counts = new Array<number>(dataCount * chunkUnits).fill(0);
      const range = { start: start * UNIT, end: end * UNIT, lengthMax: lengthMax * UNIT };
      let slice = nextSlice(map, range, 0);
      for (let sliceCount = 0; slice !== null; sliceCount++) {
        expect(sliceCount).toBeLessThan(200);
        expect(slice.rowEnd - slice.rowStart).toBeGreaterThan(0);
        expect(slice.rowEnd - slice.rowStart).toBeLessThanOrEqual(range.lengthMax);
        for (let column = slice.columnFirst; column <= slice.columnLast; column++)
          for (let row = slice.rowStart; row < slice.rowEnd; row += UNIT)
            counts[column * chunkUnits + row / UNIT]!++;
        slice = nextSlice(map, range, slice.rowEnd);
      }
      expect(counts).toEqual(counts.map((_, unit) => (unit >= start && unit < end ? 1 : 0)));
    },
  );
});

describe("chooseParityWay", () => {
  const healthy: ParityChoice = {
    dataCount: 5,
    writtenCount: 1,
    isParityLost: false,
    isParityUnreadable: false,
    isWrittenUnreadable: false,
    isOtherUnreadable: false,
  };

  it("reads nothing for a full stripe", () => {
    expect(chooseParityWay({ ...healthy, writtenCount: 5 })).toBe("full");
    expect(chooseParityWay({ ...healthy, writtenCount: 5, isWrittenUnreadable: true })).toBe("full");
  });

  it("takes whichever way reads less", () => {
    expect(chooseParityWay({ ...healthy, writtenCount: 1 })).toBe("modify");
    expect(chooseParityWay({ ...healthy, writtenCount: 2 })).toBe("reconstruct");
    expect(chooseParityWay({ ...healthy, writtenCount: 4 })).toBe("reconstruct");
    expect(chooseParityWay({ ...healthy, dataCount: 3, writtenCount: 1 })).toBe("reconstruct");
  });

  it("reads nothing that cannot be read", () => {
    expect(chooseParityWay({ ...healthy, isParityUnreadable: true })).toBe("reconstruct");
    expect(chooseParityWay({ ...healthy, isWrittenUnreadable: true })).toBe("reconstruct");
    expect(chooseParityWay({ ...healthy, writtenCount: 4, isOtherUnreadable: true })).toBe("modify");
  });

  it("needs no parity where its member is gone, and gives up where two columns are", () => {
    expect(chooseParityWay({ ...healthy, isParityLost: true, isParityUnreadable: true })).toBe("none");
    expect(chooseParityWay({ ...healthy, isParityUnreadable: true, isOtherUnreadable: true })).toBeNull();
    expect(chooseParityWay({ ...healthy, isWrittenUnreadable: true, isOtherUnreadable: true })).toBeNull();
  });
});
