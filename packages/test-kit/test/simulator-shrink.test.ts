import { LayerBase } from "@cev/core";
import type { Io, Layer, LayerDescription, Limits, Support } from "@cev/core";
import { describe, expect, test } from "vitest";
import {
  campaign,
  encodeStack,
  noOpKind,
  parseKeep,
  parseStack,
  replay,
  runOfSeed,
  stackText,
} from "../src/index.ts";
import type { SimulationKind } from "../src/index.ts";
import { requestsOf } from "../src/simulator/step.ts";
import { DEFECTS } from "./defect-kinds.ts";

/** Stands on several, and uses the first of them. */
class WideLayer extends LayerBase {
  readonly name = "wide";
  readonly limits: Limits;
  readonly support: Support;

  constructor(lowers: readonly Layer[]) {
    super(lowers);
    this.limits = lowers[0]!.limits;
    this.support = lowers[0]!.support;
  }

  submit(io: Io): void {
    this.lowers[0]!.submit(io);
  }

  describe(): LayerDescription {
    return { driver: "wide", options: {}, lowers: [] };
  }
}

const wideKind: SimulationKind = {
  ...noOpKind,
  name: "wide",
  plan: (random, size) => {
    const width = random.between(2, 4);
    return { kind: "wide", options: { width }, lowers: Array.from({ length: width }, () => size) };
  },
  *simpler({ options, lowers }) {
    for (let width = 1; width < lowers.length; width++)
      yield { kind: "wide", options: { ...options, width }, lowers: lowers.slice(0, width) };
  },
  open: (site) => Promise.resolve(new WideLayer(site.whole().map(({ layer }) => layer))),
};

/** How many requests and other steps show each defect, at the most. */
const STEPS_MAX: Readonly<Record<string, number>> = {
  "a flush that goes nowhere": 3,
  // With a flush and a power cut, or with a read.
  "a write that goes nowhere": 3,
  "a read of something else": 2,
  "a request that never ends": 1,
  "an error for no reason": 1,
  "a FUA that is dropped": 2,
};

describe("a failure is made small", () => {
  test.each(DEFECTS)("down to one layer, one disk and the steps that show $name", async ({ name, kind }) => {
    const kinds = [noOpKind, wideKind, kind];
    const { failures } = await campaign({ seed: 1, kinds, stepsMax: 20_000 });
    const { seed, plan, script, finding, line } = failures[0]!;
    expect(stackText(plan.top)).toBe("defect(disk)");
    const simplest = { hasJoints: false, overlaps: false, order: "fifo", atOnceMax: 1 };
    expect(plan).toMatchObject(simplest);
    // What only a layer that checks the contract tells needs one.
    expect(plan.checks === "none").toBe(!finding.startsWith("the contract"));
    const count = script.reduce((sum, step) => sum + Math.max(1, requestsOf(step).length), 0);
    expect(count).toBeLessThanOrEqual(STEPS_MAX[name]!);
    const { keep, stack } = / --keep (?<keep>\S+) --stack '(?<stack>[^']+)'$/.exec(line)!.groups!;
    expect(parseStack(stack!)).toEqual(plan);
    const again = await replay(seed, kinds, { keep: parseKeep(keep!), stack: parseStack(stack!) });
    expect(again).toMatchObject({ findings: [finding], stack: "defect(disk)" });
  });

  test("and a layer of which the defect needs all stays as wide as it is", async () => {
    const lastKind: SimulationKind = {
      ...wideKind,
      open: async (site) => {
        const lowers = site.whole().map(({ layer }) => layer);
        const layer = new WideLayer(lowers);
        if (lowers.length >= 3) layer.submit = (io) => io.fail("CEV_IO", "too wide", "wide");
        return layer;
      },
    };
    const { failures } = await campaign({ seed: 1, kinds: [lastKind], stepsMax: 20_000 });
    expect(stackText(failures[0]!.plan.top)).toBe("wide(disk, disk, disk)");
    expect(failures[0]!.plan.top).toMatchObject({ options: { width: 3 } });
  });
});

describe("the text of a stack", () => {
  test("is read again as what it was, for whatever is drawn", () => {
    for (let seed = 0; seed < 300; seed++) {
      const { plan } = runOfSeed(seed, [noOpKind, wideKind]);
      expect(parseStack(encodeStack(plan))).toEqual(plan);
    }
  });

  test("takes options with braces and quotes in them", () => {
    const { plan } = runOfSeed(1, [noOpKind]);
    const top = {
      kind: "odd",
      size: 512,
      options: { text: '}{",(":', list: [{ a: {} }] },
      lowers: [plan.top],
    };
    const odd = { ...plan, top, policy: "disks", atOnceMax: 3 } as const;
    expect(parseStack(encodeStack(odd))).toEqual(odd);
  });

  test.each([
    "",
    "disk",
    "disk:512",
    "disk:512:x",
    "no-op:512",
    "no-op:512(",
    "no-op:512(disk:512:f,)",
    "a:1{(disk:1:)",
    "disk:512:f;",
    "disk:512:f;fast",
    "disk:512:f;at-once=0",
    "disk:512:f;policy=some",
    "disk:512:ffifo",
  ])("is refused where it is none: %j", (text) => {
    expect(parseStack(text)).toBeNull();
  });
});
