import { describe, expect, test } from "vitest";
import { kept } from "../src/simulator/keep.ts";
import {
  campaign,
  keepText,
  noOpKind,
  parseKeep,
  parseStack,
  replay,
  runOfSeed,
  shrink,
  simulate,
  simulationVersion,
} from "../src/index.ts";
import type { Step } from "../src/index.ts";
import { DEFECTS } from "./defect-kinds.ts";

const KINDS = [noOpKind];

describe("the simulator", () => {
  test("does the same for a seed every time, and something else for another", async () => {
    const traces = [];
    for (const seed of [1, 1, 2]) traces.push((await replay(seed, KINDS)).trace);
    expect(traces[0]).toBe(traces[1]);
    expect(traces[0]).not.toBe(traces[2]);
  });

  test("does the same while the processor and the memory are used by others", async () => {
    const quiet = [];
    for (let seed = 10; seed < 13; seed++) quiet.push((await replay(seed, KINDS)).trace);
    const noise: Uint8Array[] = [];
    const timer = setInterval(() => {
      noise.push(new Uint8Array(256 * 1024).fill(1));
      if (noise.length > 64) noise.length = 0;
    }, 0);
    const loud = [];
    for (let seed = 10; seed < 13; seed++) loud.push((await replay(seed, KINDS)).trace);
    clearInterval(timer);
    expect(loud).toEqual(quiet);
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
    const { version, seed, keep, stack } =
      /--seed (?<seed>\d+) --version (?<version>\S+) --keep (?<keep>\S+)(?: --stack '(?<stack>[^']+)')?$/.exec(
        failure!.line,
      )!.groups!;
    expect(version).toBe(simulationVersion([kind]));
    const again = await replay(Number(seed), [kind], {
      keep: parseKeep(keep!),
      stack: stack === undefined ? null : parseStack(stack),
    });
    expect(again.findings[0]).toBe(failure!.finding);
    // Nothing that is left can be left out.
    expect(failure!.script.length).toBeLessThanOrEqual(5);
  });

  test("leaves the data of the other steps as they are when steps are left out", async () => {
    const { kind } = DEFECTS[4]!;
    const { failures } = await campaign({ seed: 1, kinds: [kind], stepsMax: 20_000 });
    const { seed, plan, script } = failures[0]!;
    const whole = runOfSeed(seed, [kind]).script;
    for (const step of script) {
      const requests = "requests" in step ? step.requests : [];
      expect(whole[step.index]).toMatchObject({ do: step.do, index: step.index });
      for (const request of requests)
        expect(whole[step.index]).toHaveProperty("requests", expect.arrayContaining([request]));
    }
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

  test("names steps by ranges, and requests of steps, and reads them again", () => {
    const request = { what: "flush", sector: 0, count: 1, isFua: false, cancelAt: -1 } as const;
    const whole: Step[] = Array.from({ length: 12 }, (_, index) => ({
      index,
      do: "batch",
      requests: [0, 1, 2].map((number) => ({ ...request, index: number })),
    }));
    const part = [0, 3, 4, 5, 7, 11].map((index) => whole[index]!);
    expect(keepText(part, whole)).toBe("0,3-5,7,11");
    const step = part[4] as Step & { readonly do: "batch" };
    part[4] = { ...step, requests: [step.requests[0]!, step.requests[2]!] };
    expect(keepText(part, whole)).toBe("0,3-5,7:0.2,11");
    expect(kept(whole, parseKeep("0,3-5,7:0.2,11")!)).toEqual(part);
    expect(keepText([], whole)).toBe("none");
    expect(kept(whole, parseKeep("none")!)).toEqual([]);
    for (const text of ["", "1-", "a", "1,,2", "1;2", "1-2:0", "1:.0"]) expect(parseKeep(text)).toBeNull();
  });

  test("has another version with other kinds, or with other plans of the same", () => {
    const version = simulationVersion(KINDS);
    expect(simulationVersion([DEFECTS[0]!.kind])).not.toBe(version);
    expect(simulationVersion([{ ...noOpKind, planVersion: 2 }])).not.toBe(version);
  });
});
