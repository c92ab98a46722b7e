import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import {
  CompoundIoPool,
  EventState,
  Io,
  IoError,
  Op,
  concatenate,
  quorum,
  allMustSucceed,
  statusOf,
} from "../src/index.ts";
import type { Collation, Completion, ErrorCode } from "../src/index.ts";
import { Turns, newQueue } from "./support.ts";

/*
 * Random trees of layers that filter, retry and split, over devices that answer at once or later, in any order, with errors,
 * while actions hold, defer and throw, and with a cancel at any moment, against a reference that knows only this: what each
 * device answered, and the rules. Every Io must end once, with the outcome the rules give, its actions last in, first out,
 * and nobody woken before.
 */

type Effect = "plain" | "deferred" | "hold" | "hold and resume" | "throws" | "sets error" | "clears error";

type Node =
  | { kind: "device"; isLater: boolean; canCancel: boolean; answers: (ErrorCode | null)[] }
  | { kind: "filter"; effect: Effect; lower: Node }
  | { kind: "retry"; retryMax: number; lower: Node }
  | { kind: "split"; rule: "all" | "concatenate" | "first" | "quorum"; retryMax: number; lowers: Node[] };

/** What became of one submission to a node. */
interface Run {
  node: Node;
  /** Of a device, once it answered. */
  answer: ErrorCode | null | undefined;
  lowers: Run[];
}

const answer = fc.constantFrom<(ErrorCode | null)[]>(null, null, "CEV_IO", "CEV_MEDIUM");
const effect = fc.constantFrom<Effect[]>(
  "plain",
  "plain",
  "deferred",
  "hold",
  "hold and resume",
  "throws",
  "sets error",
  "clears error",
);
const device = fc.record({
  kind: fc.constant("device" as const),
  isLater: fc.boolean(),
  canCancel: fc.boolean(),
  answers: fc.array(answer, { minLength: 1, maxLength: 4 }),
});

const { tree } = fc.letrec<{ tree: Node }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    device,
    fc.record({ kind: fc.constant("filter" as const), effect, lower: tie("tree") }),
    fc.record({
      kind: fc.constant("retry" as const),
      retryMax: fc.integer({ min: 1, max: 3 }),
      lower: tie("tree"),
    }),
    fc.record({
      kind: fc.constant("split" as const),
      rule: fc.constantFrom("all" as const, "concatenate" as const, "first" as const, "quorum" as const),
      retryMax: fc.integer({ min: 0, max: 2 }),
      lowers: fc.array(tie("tree"), { minLength: 0, maxLength: 4 }),
    }),
  ),
}));

const OPS: readonly Op[] = [Op.read, Op.write];
const RULES: Record<"all" | "concatenate" | "first" | "quorum", Collation> = {
  all: allMustSucceed,
  concatenate,
  first: quorum(1),
  quorum: quorum(2),
};

class World {
  readonly turns = new Turns();
  readonly queue = newQueue(this.turns);
  readonly pool = new CompoundIoPool({ name: "split" });
  /** What waits to be answered or resumed, in the order it came. */
  readonly waiting: (() => void)[] = [];
  /** The actions that each Io should run, newest last. */
  readonly chains = new Map<Io, string[]>();
  readonly ended: { run: Run; code: ErrorCode | null }[] = [];
  readonly attempts = new Map<Node, number>();

  submit(node: Node, io: Io, run: Run): void {
    switch (node.kind) {
      case "device":
        return this.#answer(node, io, run);
      case "filter":
        return this.#filter(node, io, run);
      case "retry":
        return this.#retry(node, io, run, 0);
      case "split":
        return this.#split(node, io, run);
    }
  }

  /** Pushes an action that checks, when it runs, that it is its turn and that the Io is not up to date yet. */
  #push(io: Io, name: string, action: () => void, isDeferred = false): void {
    let chain = this.chains.get(io);
    if (chain === undefined) this.chains.set(io, (chain = []));
    chain.push(name);
    const checked = (event: Io): void => {
      expect(chain.pop()).toBe(name);
      expect(event.isUpToDate).toBe(false);
      action();
    };
    if (isDeferred) io.pushDeferredAction(checked, null);
    else io.pushAction(checked, null);
  }

  #answer(node: Node & { kind: "device" }, io: Io, run: Run): void {
    const attempt = this.attempts.get(node) ?? 0;
    this.attempts.set(node, attempt + 1);
    const code = node.answers[attempt % node.answers.length]!;
    const finish = (given: ErrorCode | null): void => {
      if (run.answer !== undefined) return;
      run.answer = given;
      io.complete(given === null ? null : new IoError(given, "answered"));
    };
    if (!node.isLater) return finish(code);
    const cancel = { onCancel: (): void => (node.canCancel ? finish("CEV_CANCELLED") : undefined) };
    io.pushAction(() => {}, cancel);
    this.waiting.push(() => finish(code));
  }

  #filter(node: Node & { kind: "filter" }, io: Io, run: Run): void {
    const start = 512;
    this.#push(
      io,
      node.effect,
      () => {
        io.offset -= start;
        if (node.effect === "throws") throw new Error("thrown by an action");
        if (node.effect === "sets error") io.error = new IoError("CEV_PROTOCOL", "set by an action");
        if (node.effect === "clears error") io.error = null;
        if (node.effect === "hold" || node.effect === "hold and resume") io.hold();
        if (node.effect === "hold and resume") io.resume();
        if (node.effect === "hold") this.waiting.push(() => io.resume());
      },
      node.effect === "deferred",
    );
    io.offset += start;
    this.submit(node.lower, io, lowerRun(run, node.lower));
  }

  #retry(node: Node & { kind: "retry" }, io: Io, run: Run, count: number): void {
    this.#push(io, `retry ${count}`, () => {
      if (io.error === null || count === node.retryMax || io.isCancelRequested) return;
      io.restart();
      this.#retry(node, io, run, count + 1);
    });
    run.lowers.length = 0;
    this.submit(node.lower, io, lowerRun(run, node.lower));
  }

  #split(node: Node & { kind: "split" }, io: Io, run: Run): void {
    const rule = RULES[node.rule];
    const runs: Run[] = [];
    const collation: Collation = {
      name: rule.name,
      ended: (compound, sub) => {
        if (sub.io.error !== null && sub.retryCount < node.retryMax && compound.retry(sub)) return;
        this.ended.push({ run: runs[sub.index]!, code: sub.io.error?.code ?? null });
        rule.ended?.(compound, sub);
      },
      merge: rule.merge,
    };
    const compound = this.pool.over(io, collation);
    const length = node.lowers.length === 0 ? 0 : Math.floor(io.length / node.lowers.length);
    node.lowers.forEach((lower, index) => {
      const target = {
        name: lower.kind,
        submit: (part: Io): void => {
          const current = runs[index]!;
          // A retry begins anew: what the last attempt came to is forgotten.
          current.answer = undefined;
          current.lowers.length = 0;
          this.submit(lower, part, current);
        },
      };
      runs.push(lowerRun(run, lower));
      compound.add(target, io.op, io.offset + index * length, length, io.data, 0);
    });
    compound.submit();
  }
}

function lowerRun(upper: Run, node: Node): Run {
  const run: Run = { node, answer: undefined, lowers: [] };
  upper.lowers.push(run);
  return run;
}

/** The reference: the outcome of a submission from what the devices answered. What was never submitted was cancelled. */
function expected(run: Run): ErrorCode | null {
  const { node } = run;
  switch (node.kind) {
    case "device":
      return run.answer === undefined ? "CEV_CANCELLED" : run.answer;
    case "filter": {
      if (run.lowers.length === 0) return "CEV_CANCELLED";
      const below = expected(run.lowers[0]!);
      if (node.effect === "throws") return below ?? "CEV_PROGRAM";
      if (node.effect === "sets error") return "CEV_PROTOCOL";
      return node.effect === "clears error" ? null : below;
    }
    case "retry":
      return run.lowers.length === 0 ? "CEV_CANCELLED" : expected(run.lowers[0]!);
    case "split": {
      const codes = run.lowers.map(expected);
      const firstError = codes.find((code) => code !== null) ?? null;
      const needed = node.rule === "first" ? 1 : node.rule === "quorum" ? 2 : codes.length;
      return codes.filter((code) => code === null).length >= needed ? null : firstError;
    }
  }
}

/** True where a split may end before its parts have: then what those come to is known only later. */
function endsEarly(node: Node): boolean {
  if (node.kind === "device") return false;
  if (node.kind === "split")
    return node.rule === "first" || node.rule === "quorum" || node.lowers.some(endsEarly);
  return endsEarly(node.lower);
}

function check(node: Node, op: Op, choices: readonly number[], cancelAt: number): void {
  const world = new World();
  const root: Run = { node, answer: undefined, lowers: [] };
  const io = new Io(world.queue).prepare(op, 4096, 4096, new Uint8Array(4096));
  const woken: string[] = [];
  io.setOwner((event: Completion) => woken.push(`owner ${event.state}`), null);
  io.wait((event: Completion) => woken.push(`waiter ${event.state}`), null);
  world.submit(node, io, root);
  let step = 0;
  for (; world.waiting.length > 0 || world.turns.pendingCount > 0; step++) {
    if (step === cancelAt) io.cancel();
    const choice = choices[step % choices.length]!;
    const index = choice % (world.waiting.length + (world.turns.pendingCount > 0 ? 1 : 0));
    if (index < world.waiting.length) world.waiting.splice(index, 1)[0]!();
    else world.turns.runOne();
    statusOf(io);
    if (step > 10_000) throw new Error("the tree never ends");
  }
  expect(io.state).toBe(EventState.done);
  expect(woken).toEqual([`waiter ${EventState.done}`, `owner ${EventState.done}`]);
  for (const chain of world.chains.values()) expect(chain).toEqual([]);
  if (!endsEarly(node)) {
    for (const { run, code } of world.ended) expect(code).toBe(expected(run));
    if (node.kind !== "split" || node.lowers.length > 0) expect(io.error?.code ?? null).toBe(expected(root));
  } else if (
    io.error === null &&
    node.kind === "split" &&
    node.lowers.length > 0 &&
    !node.lowers.some(endsEarly)
  ) {
    expect(expected(root)).toBe(null);
  }
  // A filter puts its offset back: whoever submitted sees the Io as it was.
  expect([io.op, io.offset, io.length]).toEqual([op, 4096, 4096]);
}

describe("random trees against the reference model", () => {
  const schedule = fc.array(fc.nat(20), { minLength: 1, maxLength: 30 });
  const op = fc.constantFrom(...OPS);

  test.prop([tree, op, schedule], { numRuns: 3000 })(
    "every Io ends once, with the outcome the rules give",
    (node, operation, choices) => {
      check(node, operation, choices, -1);
    },
  );

  test.prop([tree, op, schedule, fc.nat(12)], { numRuns: 3000 })(
    "so it does with a cancel at any moment",
    (node, operation, choices, cancelAt) => {
      check(node, operation, choices, cancelAt);
    },
  );
});
