import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { Use, planRecovery, planVerifiedRecovery, planWrite } from "../src/parity/slice-plan.ts";
import type { ColumnStates, ParityWay } from "../src/parity/slice-plan.ts";

/** Columns as letters: r, can be read; w, only takes writes; x, is gone. A space before the parity. */
function columns(text: string): ColumnStates {
  const [data, parity] = text.split(" ") as [string, string];
  const all = Array.from(data + parity);
  return {
    dataCount: data.length,
    parityCount: parity.length,
    readable: Uint8Array.from(all, (letter) => (letter === "r" ? 1 : 0)),
    writable: Uint8Array.from(all, (letter) => (letter === "x" ? 0 : 1)),
  };
}

/** What a write of so many of the first columns does: the way, and which columns are read. */
function way(text: string, writtenCount: number, isUnsynced = false): [ParityWay | null, string] {
  const states = columns(text);
  const uses = new Uint8Array(states.readable.length).fill(9);
  const written = Uint8Array.from({ length: states.dataCount }, (_, column) =>
    column < writtenCount ? 1 : 0,
  );
  const chosen = planWrite(states, written, isUnsynced, uses);
  return [chosen, [...uses].map((use) => ".+R"[use]).join("")];
}

describe("how the parity of a write comes about", () => {
  it("nothing is read for full rows, whatever is missing", () => {
    expect(way("rrrrr r", 5)).toEqual(["full", ".....+"]);
    expect(way("rrxrr rx", 5)).toEqual(["full", ".....+."]);
    expect(way("rxxrr rr", 5)).toEqual(["full", ".....++"]);
  });

  it("whichever way reads less is taken", () => {
    expect(way("rrrrr r", 1)).toEqual(["modify", "R....R"]);
    expect(way("rrrrr r", 2)).toEqual(["reconstruct", "..RRR+"]);
    expect(way("rrrrrr r", 2)).toEqual(["modify", "RR....R"]);
    expect(way("rrrrrr rr", 2)).toEqual(["reconstruct", "..RRRR++"]);
    expect(way("rrrrrr rr", 1)).toEqual(["modify", "R.....RR"]);
    expect(way("rrr r", 1)).toEqual(["reconstruct", ".RR+"]);
  });

  it("nothing is read that cannot be", () => {
    expect(way("rrrrr w", 1)).toEqual(["reconstruct", ".RRRR+"]);
    expect(way("wrrrr r", 1)).toEqual(["reconstruct", ".RRRR+"]);
    expect(way("rrrrx r", 4)).toEqual(["modify", "RRRR.R"]);
    expect(way("rrrrx rr", 3)).toEqual(["modify", "RRR..RR"]);
    expect(way("rrrxx rr", 3)).toEqual(["modify", "RRR..RR"]);
  });

  it("where neither is possible, what is lost is recovered first, with P or Q or both", () => {
    expect(way("xrrrx rr", 1)).toEqual(["recover", "+RRR+RR"]);
    expect(way("rrrrx xr", 2)).toEqual(["modify", "RR....R"]);
    expect(way("rrrrx wr", 2)).toEqual(["recover", "RRRR++R"]);
    expect(way("rrrrx rw", 2)).toEqual(["recover", "RRRR+R+"]);
  });

  it("only the parity whose member takes writes is looked at", () => {
    expect(way("rrrrr x", 1)).toEqual(["none", "......"]);
    expect(way("xrrrr x", 2)).toEqual(["none", "......"]);
    expect(way("rrrrr xx", 1)).toEqual(["none", "......."]);
    expect(way("rrrrr xr", 1)).toEqual(["modify", "R.....R"]);
    expect(way("rrrrr rx", 1)).toEqual(["modify", "R....R."]);
  });

  it("too much lost is given up", () => {
    expect(way("rrrrx w", 1)[0]).toBeNull();
    expect(way("xrrrx r", 1)[0]).toBeNull();
    expect(way("xrrrx wr", 1)[0]).toBeNull();
    expect(way("xxrrx rr", 1)[0]).toBeNull();
  });

  it("where the redundancy may be wrong, it is made from the data, or left as wrong as it was", () => {
    expect(way("rrrrr r", 1, true)).toEqual(["reconstruct", ".RRRR+"]);
    expect(way("rrrrrr rr", 1, true)).toEqual(["reconstruct", ".RRRRR++"]);
    expect(way("rrrrx r", 1, true)).toEqual(["modify", "R....R"]);
    expect(way("xrrrx rr", 1, true)[0]).toBeNull();
  });

  const stripes = fc
    .record({ dataCount: fc.integer({ min: 1, max: 8 }), parityCount: fc.constantFrom(1, 2) })
    .chain(({ dataCount, parityCount }) =>
      fc.record({
        data: fc.array(fc.constantFrom("r", "r", "r", "w", "x"), {
          minLength: dataCount,
          maxLength: dataCount,
        }),
        parity: fc.array(fc.constantFrom("r", "r", "w", "x"), {
          minLength: parityCount,
          maxLength: parityCount,
        }),
        written: fc.array(fc.nat(1), { minLength: dataCount, maxLength: dataCount }),
        isUnsynced: fc.boolean(),
      }),
    );

  test.prop([stripes], { numRuns: 500 })(
    "reads only what can be read, and there is a way as long as no more is lost than there is parity",
    ({ data, parity, written, isUnsynced }) => {
      const states = columns(`${data.join("")} ${parity.join("")}`);
      const uses = new Uint8Array(states.readable.length);
      const chosen = planWrite(states, Uint8Array.from(written), isUnsynced, uses);
      const lostCount = states.readable.reduce((sum, isReadable) => sum + 1 - isReadable, 0);
      if (chosen === null) {
        expect(isUnsynced || lostCount > states.parityCount).toBe(true);
        return;
      }
      for (const [column, use] of uses.entries()) {
        if (use === Use.read) expect(states.readable[column]).toBe(1);
        if (column >= states.dataCount && chosen !== "none" && states.writable[column] === 1)
          expect(use).not.toBe(Use.none);
      }
    },
  );
});

describe("how what is lost is recovered", () => {
  function recovery(text: string, plan = planRecovery): string | null {
    const states = columns(text);
    const uses = new Uint8Array(states.readable.length);
    return plan(states, uses) ? [...uses].map((use) => ".+R"[use]).join("") : null;
  }

  it("with P before Q, and with no more parity than is needed", () => {
    expect(recovery("rrrr rr")).toBe("RRRR..");
    expect(recovery("rxrr rr")).toBe("R+RRR.");
    expect(recovery("rxrr xr")).toBe("R+RR.R");
    expect(recovery("rxxr rr")).toBe("R++RRR");
    expect(recovery("rxxr rx")).toBeNull();
    expect(recovery("rxxr r")).toBeNull();
  });

  it("where the parity is in doubt, only with a second one that it can be compared with", () => {
    expect(recovery("rrrr rr", planVerifiedRecovery)).toBe("RRRR..");
    expect(recovery("rxrr rr", planVerifiedRecovery)).toBe("R+RRRR");
    expect(recovery("rxrr xr", planVerifiedRecovery)).toBeNull();
    expect(recovery("rxxr rr", planVerifiedRecovery)).toBeNull();
    expect(recovery("rxrr r", planVerifiedRecovery)).toBeNull();
  });
});
