import { Op, READ_ONLY_SUPPORT, request } from "@cev/core";
import type { Environment, Io, Layer } from "@cev/core";
import { describe, expect, test } from "vitest";
import {
  NoOpLayer,
  campaign,
  emptyReport,
  mergeReports,
  noOpKind,
  reportTable,
  runOfSeed,
  simulate,
} from "../src/index.ts";
import type { CampaignReport, DiskPlan, SimulationKind, StackPlan, Step } from "../src/index.ts";
import { defectKind } from "./defect-kinds.ts";

const DISK: DiskPlan = {
  ...{ kind: "disk", size: 65_536, blockSize: 512, fua: true, zeroes: true, discard: true },
  ...{ later: true, adapted: false, ioLengthMax: null },
};

/** A stack of one layer of this kind. */
function planOf({ name }: SimulationKind, settings: Partial<StackPlan> = {}): StackPlan {
  return {
    top: { kind: name, size: 65_536, options: {}, lowers: [DISK] },
    checks: "light",
    hasJoints: false,
    overlaps: false,
    order: "random",
    atOnceMax: 8,
    policy: null,
    ...settings,
  };
}

function write(index: number, sector = 8 * index, count = 8) {
  return { index, what: "write", sector, count, isFua: false, cancelAt: -1 } as const;
}

const LOAD = { requests: [write(0), write(1), write(2)], turns: 1 } as const;
const CUT = {
  ...{ do: "cut", policy: "sectors", again: [3], missing: -1, isBack: false, losing: null },
  isPrompt: false,
} as const;

/** Says of a write that it is durable as soon as it is done, and only then has it made durable. */
class HastyLayer extends NoOpLayer {
  readonly #environment: Environment;

  constructor(lower: Layer, environment: Environment) {
    super(lower);
    this.#environment = environment;
  }

  override submit(io: Io): void {
    if (io.op !== Op.write) return super.submit(io);
    io.flags = 0;
    io.pushAction(() => void request(this.lowers[0]!, this.#environment, Op.flush, 0, 0), null);
    super.submit(io);
  }
}

function numbered(steps: readonly object[]): Step[] {
  return steps.map((step, index) => ({ index, ...step }) as Step);
}

describe("steps of the simulator", () => {
  test("put layers in and take them out while requests are under way", async () => {
    const script = numbered([
      ...Array.from({ length: 30 }, (_, at) => ({
        do: at % 3 === 2 ? "remove" : "insert",
        place: at,
        ...LOAD,
      })),
      { do: "reopen" },
    ]);
    const result = await simulate(planOf(noOpKind, { hasJoints: true }), script, 1, [noOpKind]);
    expect(result).toMatchObject({ findings: [], excusedCount: 0, requestCount: 90, stepCount: 121 });
  });

  test("let requests that touch one another be under way together, where the stack allows it", async () => {
    const requests = Array.from({ length: 8 }, (_, index) => write(index, 8, 8));
    const script = numbered([{ do: "batch", requests }, { ...CUT, chore: null, ...LOAD }, { do: "reopen" }]);
    const wide = await simulate(planOf(noOpKind, { overlaps: true }), script, 1, [noOpKind]);
    expect(wide).toMatchObject({ findings: [], requestCount: 11 });
    const narrow = await simulate(planOf(noOpKind), script, 1, [noOpKind]);
    expect(narrow.findings).toEqual([]);
    expect(narrow.trace).not.toBe(wide.trace);
  });

  test("tell a kind to do its chores, under load and when the power goes, and have it mended then", async () => {
    const done: string[] = [];
    const kind: SimulationKind = {
      ...noOpKind,
      name: "worker",
      plan: (random, size) => ({ ...noOpKind.plan(random, size), kind: "worker" }),
      chores: [
        {
          name: "look",
          run: async ({ layer, lowers, environment }) => {
            done.push(`${layer.name} on ${lowers.length}`);
            await new Promise<void>((resolve) => void environment.clock.after(5, resolve));
            done.push("ended");
          },
        },
        { name: "never", isPossible: () => false, run: () => Promise.resolve(["was possible"]) },
        { name: "complain", run: () => Promise.resolve(["something is wrong"]) },
      ],
      mend: async () => void done.push("mended"),
    };
    const chore = { kind: "worker", place: 0, name: "look" };
    const script = numbered([
      { do: "chore", chore, ...LOAD },
      { ...CUT, chore, ...LOAD },
      { do: "chore", chore, ...LOAD },
    ]);
    const plan = planOf(kind);
    expect((await simulate(plan, script, 1, [kind])).findings).toEqual([]);
    expect(done).toEqual([
      ...["no-op on 1", "ended"],
      ...["no-op on 1", "mended"],
      ...["no-op on 1", "ended"],
    ]);
    const bad = numbered([{ do: "chore", chore: { ...chore, name: "complain" }, ...LOAD }]);
    expect((await simulate(plan, bad, 1, [kind])).findings).toEqual(["worker: something is wrong"]);
    const drawn = Array.from({ length: 50 }, (_, seed) => runOfSeed(seed, [kind]).script).flat();
    const names = drawn.flatMap((step) =>
      step.do === "chore" || (step.do === "cut" && step.chore !== null) ? [step.chore!.name] : [],
    );
    expect([...new Set(names)].sort()).toEqual(["complain", "look"]);
  });

  test("tell nothing to do while a part may only be read, which the rest does without", async () => {
    let openCount = 0;
    class ReadOnlyLayer extends NoOpLayer {
      override readonly support = READ_ONLY_SUPPORT;
    }
    const frail: SimulationKind = {
      ...noOpKind,
      name: "frail",
      traits: () => ({ refusesDegraded: true }),
      open: async ({ whole }) =>
        openCount++ === 0 ? new NoOpLayer(whole()[0]!.layer) : new ReadOnlyLayer(whole()[0]!.layer),
      chores: [
        {
          name: "work",
          run: async ({ layer }) => (layer.support.write === "none" ? ["it cannot work"] : []),
        },
      ],
    };
    const rest: SimulationKind = {
      ...noOpKind,
      name: "rest",
      traits: () => ({ lossesMax: 1 }),
      open: async ({ whole }) => new NoOpLayer(whole()[1]!.layer),
    };
    const top = {
      ...{ kind: "rest", size: 65_536, options: {} },
      lowers: [{ kind: "frail", size: 65_536, options: {}, lowers: [DISK] }, DISK],
    };
    const chore = { kind: "frail", place: 0, name: "work" };
    const script = numbered([
      { ...CUT, chore, ...LOAD },
      { do: "chore", chore, ...LOAD },
    ]);
    expect((await simulate({ ...planOf(rest), top }, script, 1, [frail, rest])).findings).toEqual([]);
  });

  test("change bits where a kind says that it notices, and find it out when it does not", async () => {
    const kind: SimulationKind = {
      ...noOpKind,
      name: "careless",
      traits: () => ({ detects: { offset: 4096, length: 4096 } }),
      plan: (random, size) => ({ ...noOpKind.plan(random, size), kind: "careless" }),
      open: (site) => Promise.resolve(new NoOpLayer(site.whole()[0]!.layer)),
    };
    const { failures } = await campaign({ seed: 1, kinds: [kind], stepsMax: 20_000 });
    expect(failures[0]!.finding).toMatch(/is not what was written last|gave what was not|nor anything later/);
    expect(failures[0]!.script.map((step) => step.do)).toContain("rot");
  });

  test("cut the power just when something was said to be durable, which shows who says so too early", async () => {
    const kind: SimulationKind = {
      ...noOpKind,
      open: ({ whole, environment }) => Promise.resolve(new HastyLayer(whole()[0]!.layer, environment)),
    };
    const requests = [{ ...write(0), isFua: true }];
    const cut = { ...CUT, policy: "none", again: [], chore: null, requests, turns: 30 } as const;
    const plan = planOf(kind, { checks: "none" });
    const findingsOf = async (step: object, one: SimulationKind): Promise<readonly string[]> =>
      (await simulate(plan, numbered([step]), 1, [one])).findings;
    expect(await findingsOf(cut, kind)).toEqual([]);
    expect(await findingsOf({ ...cut, isPrompt: true }, noOpKind)).toEqual([]);
    expect(await findingsOf({ ...cut, isPrompt: true }, kind)).toEqual([
      "byte 0 holds neither what was flushed nor anything later",
    ]);
  });

  test("take a disk away at the end, which shows who has no copy of what was on it", async () => {
    const kind: SimulationKind = { ...noOpKind, traits: () => ({ lossesMax: 1 }) };
    const plan: StackPlan = {
      ...planOf(kind),
      top: { kind: kind.name, size: 65_536, options: {}, lowers: [DISK, DISK] },
    };
    const found = new Set<string>();
    for (let seed = 1; seed <= 20; seed++) {
      const { findings } = await simulate(plan, numbered([{ do: "batch", requests: [write(0)] }]), seed, [
        kind,
      ]);
      for (const finding of findings) found.add(finding);
    }
    expect([...found].join()).toMatch(/^a read of 65536 at byte 0 failed: CEV_DEVICE_LOST [^,]*$/);
  });

  test("find a request that hangs as soon as nothing is left to do", async () => {
    const kind = defectKind((io, lower) => {
      if (io.length !== 4096 || io.op !== 1) lower.submit(io);
    });
    const script = numbered([{ do: "batch", requests: [write(0)] }]);
    const { findings, turnCount } = await simulate(planOf(kind), script, 1, [kind]);
    expect(findings).toEqual(["nothing is left to do, and what was waited for has not happened"]);
    expect(turnCount).toBeLessThan(100);
  });
});

describe("a campaign", () => {
  test("counts no steps of runs in which nearly everything failed as it had to", async () => {
    const kind: SimulationKind = {
      ...defectKind((io, lower) => {
        if (io.op !== 0 && io.op !== 2) io.fail("CEV_NO_SPACE", "full", "defect");
        else lower.submit(io);
      }),
      traits: () => ({ mayOverflow: true, forgets: true }),
    };
    let runCount = 0;
    const report = await campaign({ seed: 1, kinds: [kind], isOver: () => ++runCount > 12 });
    expect(report.failures).toEqual([]);
    expect(report.redrawnCount).toBeGreaterThan(6);
    expect(report.runCount + report.redrawnCount).toBe(12);
  });

  test("takes every second seed, and two of them make the table of one", async () => {
    const seeds: number[] = [];
    const run = (seed: number, seedStep: number, runsMax: number): Promise<CampaignReport> => {
      let count = 0;
      const onRun = (next: number): void => void seeds.push(next);
      return campaign({ seed, seedStep, kinds: [noOpKind], isOver: () => count++ >= runsMax, onRun });
    };
    const whole = await run(5, 1, 6);
    expect(seeds).toEqual([5, 6, 7, 8, 9, 10]);
    seeds.length = 0;
    const [even, odd] = [await run(5, 2, 3), await run(6, 2, 3)];
    expect(seeds).toEqual([5, 7, 9, 6, 8, 10]);
    expect(mergeReports(even, odd)).toEqual(whole);
    expect(mergeReports(emptyReport(["no-op"]), whole)).toEqual(whole);
    const lines = reportTable(whole).split("\n");
    expect(lines[0]).toMatch(/^\| kind +\| +runs \| +steps \| +cuts \| +excused errors \| +findings \|$/);
    const cells = ["all", whole.runCount, whole.stepCount, whole.cutCount, whole.excusedCount, 0];
    expect(
      lines
        .at(-1)!
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    ).toEqual(cells.map(String));
    expect(new Set(lines.map(({ length }) => length)).size).toBe(1);
  });
});
