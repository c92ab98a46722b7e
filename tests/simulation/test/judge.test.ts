import { parseStack, simulate } from "@cev/test-kit";
import type { Step } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { KINDS } from "../kinds/index.ts";

const CUT = { turns: 0, isPrompt: false, again: [], missing: -1, isBack: false, losing: null, chore: null };
const NO_WORK = { requests: [] };

interface Case {
  readonly what: string;
  readonly seed: number;
  readonly stack: string;
  readonly script: readonly Step[];
}

const CASES: readonly Case[] = [
  {
    what: "a mirror whose newer half is noticed to be spoiled may show the older one",
    seed: 50_015_161,
    stack:
      'raid-mirror:65536{"level":1,"layout":null,"memberCount":2,"bitmap":false,"hasSpare":false,"grows":false,"version":"1.2"}(thin:155648{"chunkCount":5,"metadataLength":24576,"size":155648}(disk:24576:fzd,disk:458752:fzd,disk:573440:fzd),disk:155648:fzd);none;fifo;at-once=1;policy=all',
    script: [
      { index: 18, do: "fail", disk: 3, skip: 0, isCovered: true },
      { index: 51, do: "rot", disk: 0, byte: 23_483, bit: 1 },
      {
        index: 54,
        do: "batch",
        requests: [{ index: 1, what: "write", sector: 0, count: 4, isFua: true, cancelAt: -1 }],
      },
      { index: 55, do: "cut", policy: "sectors", ...NO_WORK, ...CUT, turns: 7, isBack: true },
    ],
  },
];

describe("the judge of random runs knows that", () => {
  test.each(CASES)("$what", async ({ seed, stack, script }) => {
    const { findings, cutCount } = await simulate(parseStack(stack)!, script, seed, KINDS);
    expect(findings).toEqual([]);
    expect(cutCount).toBe(1);
  });
});
