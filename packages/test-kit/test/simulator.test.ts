import { LayerBase } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Support } from "@cev/core";
import { describe, expect, test } from "vitest";
import {
  campaign,
  noOpKind,
  parseRanges,
  rangesText,
  replay,
  runOfSeed,
  shrink,
  simulate,
  simulationVersion,
} from "../src/index.ts";
import type { SimulationKind } from "../src/index.ts";

const KINDS = [noOpKind];

/** A kind that passes requests on, except that something is wrong with some of them. */
function defectKind(spoil: (io: Io, lower: Layer) => void): SimulationKind {
  class DefectLayer extends LayerBase {
    readonly name = "defect";
    readonly limits: Limits;
    readonly support: Support;

    constructor(lower: Layer) {
      super([lower]);
      this.limits = lower.limits;
      this.support = lower.support;
    }

    submit(io: Io): void {
      spoil(io, this.lowers[0]!);
    }

    describe(): LayerDescription {
      return { driver: "defect", options: {}, lowers: [] };
    }
  }
  return {
    ...noOpKind,
    name: "defect",
    plan: (_random, size) => ({ kind: "defect", options: {}, lowers: [size] }),
    open: (site) => Promise.resolve(new DefectLayer(site.whole()[0]!.layer)),
  };
}

const READ = 0;
const WRITE = 1;
const FLUSH = 2;

const DEFECTS: readonly { readonly name: string; readonly kind: SimulationKind; readonly finding: RegExp }[] =
  [
    {
      name: "a flush that goes nowhere",
      kind: defectKind((io, lower) => (io.op === FLUSH ? io.complete() : lower.submit(io))),
      finding: /holds neither what was flushed nor anything later/,
    },
    {
      name: "a write that goes nowhere",
      kind: defectKind((io, lower) =>
        io.op === WRITE && io.length === 1024 ? io.complete() : lower.submit(io),
      ),
      finding: /is not what was written last|gave what was not written last/,
    },
    {
      name: "a read of something else",
      kind: defectKind((io, lower) => {
        if (io.op === READ && io.length === 512) {
          io.data.fill(7, io.dataOffset, io.dataOffset + 512);
          return io.complete();
        }
        return lower.submit(io);
      }),
      finding: /gave what was not written last/,
    },
    {
      name: "a request that never ends",
      kind: defectKind((io, lower) => {
        if (io.op !== WRITE || io.length !== 2048) lower.submit(io);
      }),
      finding: /has not happened/,
    },
    {
      name: "an error for no reason",
      kind: defectKind((io, lower) => {
        if (io.op === WRITE && io.length === 3072) io.fail("CEV_IO", "no reason", "defect");
        else lower.submit(io);
      }),
      finding: /a write of \d+ at sector \d+ failed: CEV_IO no reason/,
    },
    {
      name: "a FUA that is dropped",
      kind: defectKind((io, lower) => {
        if (io.op === WRITE) io.flags = 0;
        lower.submit(io);
      }),
      finding: /holds neither what was flushed nor anything later|contract was broken/,
    },
  ];

describe("the simulator", () => {
  test("does the same for a seed every time, and something else for another", async () => {
    const traces = [];
    for (const seed of [1, 1, 2]) traces.push((await replay(seed, KINDS)).trace);
    expect(traces[0]).toBe(traces[1]);
    expect(traces[0]).not.toBe(traces[2]);
  });

  test("finds nothing in layers that pass everything on", async () => {
    const { failures, stepCount, cutCount } = await campaign({ seed: 100, kinds: KINDS, stepsMax: 4000 });
    expect(failures.map(({ line }) => line)).toEqual([]);
    expect(stepCount).toBeGreaterThan(4000);
    expect(cutCount).toBeGreaterThan(50);
  });

  test.each(DEFECTS)("finds $name, and the line it prints finds it again", async ({ kind, finding }) => {
    const { failures } = await campaign({ seed: 1, kinds: [kind], stepsMax: 20_000 });
    const [failure] = failures;
    expect(failure?.finding).toMatch(finding);
    const { version, seed, keep } = /--seed (?<seed>\d+) --version (?<version>\S+) --keep (?<keep>\S+)$/.exec(
      failure!.line,
    )!.groups!;
    expect(version).toBe(simulationVersion([kind]));
    const again = await replay(Number(seed), [kind], parseRanges(keep!));
    expect(again.findings[0]).toMatch(finding);
    // Nothing that is left can be left out.
    expect(failure!.script.length).toBeLessThanOrEqual(5);
  });

  test("leaves the data of the other steps as they are when steps are left out", async () => {
    const { kind } = DEFECTS[4]!;
    const { failures } = await campaign({ seed: 1, kinds: [kind], stepsMax: 20_000 });
    const { seed, plan, script } = failures[0]!;
    const whole = runOfSeed(seed, [kind]).script;
    for (const step of script) expect(whole[step.index]).toEqual(step);
    const [first, second] = [
      await simulate(plan, script, seed, [kind]),
      await simulate(plan, script, seed, [kind]),
    ];
    expect(first).toEqual(second);
  });

  test("shrinks with as many runs as it may, and keeps what was found", async () => {
    const { kind, finding } = DEFECTS[1]!;
    const { failures } = await campaign({ seed: 1, kinds: [kind], stepsMax: 20_000 });
    const { seed, plan, finding: found } = failures[0]!;
    const { script } = runOfSeed(seed, [kind]);
    const none = await shrink({ seed, plan, script, finding: found }, [kind], 0);
    expect(none.script).toBe(script);
    const some = await shrink({ seed, plan, script, finding: found }, [kind], 50);
    expect(some.finding).toMatch(finding);
    expect(some.script.length).toBeLessThan(script.length);
  });

  test("names steps by ranges, and reads them again", () => {
    expect(rangesText([0, 3, 4, 5, 11])).toBe("0,3-5,11");
    expect(parseRanges("0,3-5,11")).toEqual([0, 3, 4, 5, 11]);
    expect(parseRanges(rangesText([]))).toEqual([]);
    for (const text of ["", "1-", "a", "1,,2", "1;2"]) expect(parseRanges(text)).toBeNull();
  });

  test("has another version with other kinds, or with other plans of the same", () => {
    const version = simulationVersion(KINDS);
    expect(simulationVersion([DEFECTS[0]!.kind])).not.toBe(version);
    expect(simulationVersion([{ ...noOpKind, planVersion: 2 }])).not.toBe(version);
  });
});
