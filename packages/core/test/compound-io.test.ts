import { describe, expect, it } from "vitest";
import {
  CompoundIoPool,
  EventState,
  Io,
  Op,
  allMustSucceed,
  concatenate,
  firstAnswer,
  quorum,
} from "../src/index.ts";
import type { Collation } from "../src/index.ts";
import { MemoryLayer, newIo, newQueue } from "./support.ts";
import { BLOCK, failing, setUp, stripe } from "./striping.ts";

describe("merging the results of split I/O", () => {
  it("B1 concatenated parts: each lands in its place of the caller's memory, without a copy", () => {
    const { members, pool, io } = setUp();
    stripe(pool, members, io, concatenate);
    expect(io.isUpToDate).toBe(true);
    expect([...new Set(io.data)]).toEqual([1, 2]);
    expect(members[0]!.seen.every((sub) => sub.data === io.data)).toBe(true);
  });

  it("B1 concatenated parts: the first failed part decides, and what lies before it is transferred", () => {
    const { members, pool, io } = setUp();
    members[1]!.failure = () => failing();
    stripe(pool, members, io, concatenate);
    expect([io.error?.code, io.transferred, io.state]).toEqual(["CEV_IO", BLOCK, EventState.done]);
  });

  it("B1 interpreted data: a rule of the driver's own makes the result out of what was read", () => {
    const { members, pool, io } = setUp(3);
    const scratch = members.map(() => new Uint8Array(4 * BLOCK));
    const parity: Collation = {
      name: "parity",
      ended: null,
      merge: () =>
        io.data.forEach((_, at) => (io.data[at] = scratch.reduce((sum, part) => sum ^ part[at]!, 0))),
    };
    const compound = pool.over(io, parity);
    members.forEach((member, index) => compound.add(member, Op.read, 0, 4 * BLOCK, scratch[index]));
    compound.submit();
    expect(io.data.every((byte) => byte === (1 ^ 2 ^ 3))).toBe(true);
  });

  it("B1 first answer: the fastest decides, the rest is cancelled, and the Io is done at once", () => {
    const { members, pool, io } = setUp(3);
    const scratch = members.map(() => new Uint8Array(BLOCK));
    members.forEach((member) => (member.isManual = true));
    const compound = pool.over(io, firstAnswer);
    members.forEach((member, index) => compound.add(member, Op.read, 0, BLOCK, scratch[index]));
    compound.submit();
    members[0]!.failure = () => failing();
    members[0]!.finish();
    expect(io.state).toBe(EventState.pending);
    members[2]!.finish();
    expect(io.isUpToDate).toBe(true);
    expect(members[1]!.waiting).toEqual([]);
  });

  it("B1 a quorum: enough successes are a success, too few are the first error", () => {
    for (const [failures, code] of [
      [1, undefined],
      [2, "CEV_IO"],
    ] as const) {
      const { members, pool, io } = setUp(3);
      members.slice(0, failures).forEach((member) => (member.failure = () => failing()));
      const compound = pool.over(io, quorum(2));
      for (const member of members) compound.add(member, Op.read, 0, BLOCK, new Uint8Array(BLOCK));
      compound.submit();
      expect(io.error?.code).toBe(code);
    }
  });

  it("B1 all must succeed: one failure is the failure of the whole, after all have ended", () => {
    const { members, pool, io } = setUp(3);
    members.forEach((member) => (member.isManual = true));
    const compound = pool.over(io.prepare(Op.flush, 0, 0), allMustSucceed);
    for (const member of members) compound.add(member, Op.flush, 0, 0);
    compound.submit();
    members[1]!.failure = () => failing("CEV_MEDIUM");
    members[1]!.finish();
    members[0]!.finish();
    expect(io.state).toBe(EventState.pending);
    members[2]!.finish();
    expect(io.error?.code).toBe("CEV_MEDIUM");
  });

  it("B1 merges through any number of layers: a tree of 6 levels over 64 leaves", () => {
    const memory = new MemoryLayer(65_536);
    memory.bytes.forEach((_, at) => (memory.bytes[at] = at % 251));
    const halver = {
      name: "halver",
      pool: new CompoundIoPool({ name: "halver" }),
      submit(io: Io): void {
        if (io.length === BLOCK) return memory.submit(io);
        const half = io.length / 2;
        const compound = this.pool.over(io, concatenate);
        compound.add(this, io.op, io.offset, half, io.data, io.dataOffset);
        compound.add(this, io.op, io.offset + half, half, io.data, io.dataOffset + half);
        compound.submit();
      },
    };
    const io = new Io(newQueue()).prepare(Op.read, 512, 64 * BLOCK, new Uint8Array(64 * BLOCK));
    halver.submit(io);
    expect(io.isUpToDate).toBe(true);
    expect(io.data).toEqual(memory.bytes.subarray(512, 512 + 64 * BLOCK));
    expect(memory.seen.length).toBe(64);
  });

  it("B2 a failed sub-I/O is retried on another device, and nobody around notices", () => {
    const { members, pool, io } = setUp();
    members[0]!.failure = () => failing("CEV_MEDIUM");
    const otherOne: Collation = {
      name: "read from the other",
      ended: (compound, sub) => {
        if (sub.io.error !== null && sub.retryCount === 0) compound.retry(sub, members[1]);
      },
      merge: (compound) => concatenate.merge(compound),
    };
    const wakes: (string | undefined)[] = [];
    io.setOwner((done) => wakes.push(done.error?.code), null);
    const compound = pool.over(io, otherOne);
    compound.add(members[0]!, Op.read, 0, 4 * BLOCK, io.data);
    compound.submit();
    expect(wakes).toEqual([undefined]);
    expect(io.data.every((byte) => byte === 2)).toBe(true);
  });

  it("B2 a failed sub-I/O is retried on the same device after a while, holding it meanwhile", () => {
    const { members, pool, io } = setUp();
    members[0]!.failure = () => (members[0]!.seen.length < 3 ? failing() : null);
    const held: (() => void)[] = [];
    const later: Collation = {
      name: "retry later",
      ended: (compound, sub) => {
        if (sub.io.error === null) return;
        sub.io.hold();
        held.push(() => compound.retry(sub));
      },
      merge: (compound) => concatenate.merge(compound),
    };
    const compound = pool.over(io, later);
    const sub = compound.add(members[0]!, Op.read, 0, 4 * BLOCK, io.data);
    compound.submit();
    expect(held.length).toBe(1);
    held.shift()!();
    expect(held.length).toBe(1);
    held.shift()!();
    expect([io.isUpToDate, sub.retryCount]).toEqual([true, 2]);
  });

  it("B2 a sub-I/O that is held and given up fails the whole", () => {
    const { members, pool, io } = setUp();
    members[0]!.failure = () => failing();
    const compound = pool.over(io, {
      name: "give up",
      ended: (_, sub) => sub.io.hold(),
      merge: (whole) => allMustSucceed.merge(whole),
    });
    const sub = compound.add(members[0]!, Op.read, 0, BLOCK, io.data);
    compound.submit();
    expect(io.state).toBe(EventState.pending);
    sub.io.resume();
    expect(io.error?.code).toBe("CEV_IO");
  });

  it("B2 nothing is retried once the whole was cancelled", () => {
    const { members, pool, io } = setUp();
    members[0]!.isManual = true;
    const retries: boolean[] = [];
    const stubborn: Collation = {
      name: "stubborn",
      ended(compound, sub) {
        if (sub.io.error !== null) retries.push(compound.retry(sub));
      },
      merge: (compound) => allMustSucceed.merge(compound),
    };
    const compound = pool.over(io, stubborn);
    compound.add(members[0]!, Op.read, 0, BLOCK, io.data);
    compound.submit();
    io.cancel();
    expect([io.error?.code, ...retries]).toEqual(["CEV_CANCELLED", false]);
  });

  it("B4 an Io carries no field for compound I/O: it has the same shape whole, split and as a part", () => {
    const { members, pool, io } = setUp();
    const before = Object.keys(new Io(newQueue()));
    const compound = stripe(pool, members, io, concatenate);
    expect(Object.keys(io)).toEqual(before);
    expect(Object.keys(compound.subs[0]!.io)).toEqual(before);
    expect(compound.subs[0]!.io.constructor).toBe(Io);
  });

  it("B4 a compound event and its sub-I/Os are used again", () => {
    const { members, pool, io } = setUp();
    const first = stripe(pool, members, io, concatenate);
    const subs = [...first.subs];
    io.prepare(Op.read, 0, 2 * BLOCK, io.data);
    const second = stripe(pool, members, io, concatenate);
    expect(second).toBe(first);
    expect(second.subs.slice(0, 2)).toEqual(subs.slice(0, 2));
    expect(second.subCount).toBe(2);
  });

  it("B5 collation can run in task context: the Io waits for it, and so does its compound event", () => {
    const { members, pool, io, turns } = setUp();
    const log: string[] = [];
    io.setOwner(() => log.push("woken"), null);
    io.pushAction(() => void log.push("action above"), null);
    const inTask: Collation = {
      name: "in task context",
      ended: null,
      merge(compound) {
        log.push("merge begins");
        compound.io.pushDeferredAction(() => void log.push("merge in task"), null);
      },
    };
    stripe(pool, members, io, inTask);
    expect(log).toEqual(["merge begins"]);
    turns.runAll();
    expect(log).toEqual(["merge begins", "merge in task", "action above", "woken"]);
  });

  it("B5 a collation that holds the Io keeps its sub-I/Os until it resumes it", () => {
    const { members, pool, io } = setUp();
    const compound = stripe(pool, members, io, {
      name: "hold",
      ended: null,
      merge: (whole) => whole.io.hold(),
    });
    const other = stripe(pool, members, newIo(io.runQueue), concatenate);
    expect(other).not.toBe(compound);
    expect(compound.subCount).toBe(4);
    io.resume();
    expect(io.isUpToDate).toBe(true);
  });

  it("another round: a collation may restart the Io and split it anew (read, then write)", () => {
    const { members, pool, io } = setUp();
    const rounds: string[] = [];
    const second: Collation = { name: "second", ended: null, merge: () => void rounds.push("second") };
    const first: Collation = {
      name: "first",
      ended: null,
      merge(compound) {
        rounds.push("first");
        compound.io.restart();
        stripe(pool, members, compound.io, second);
      },
    };
    stripe(pool, members, io, first);
    expect([rounds, io.isUpToDate, io.transferred]).toEqual([["first", "second"], true, 4 * BLOCK]);
  });

  it("a collation that throws is an error of the Io, not a hang", () => {
    for (const collation of [
      {
        name: "ended throws",
        ended: () => {
          throw new Error("oops");
        },
        merge: allMustSucceed.merge,
      },
      {
        name: "merge throws",
        ended: null,
        merge: () => {
          throw new Error("oops");
        },
      },
    ] as Collation[]) {
      const { members, pool, io } = setUp();
      stripe(pool, members, io, collation);
      expect([io.state, io.error?.code], collation.name).toEqual([EventState.done, "CEV_PROGRAM"]);
    }
  });

  it("a lower whose submit throws fails its part, the others go on, and a retry elsewhere is possible", () => {
    const { members, pool, io } = setUp(2);
    const broken = {
      name: "broken",
      submit(): void {
        throw new TypeError("x is not a function");
      },
    };
    const elsewhere: Collation = {
      name: "elsewhere",
      ended(compound, sub) {
        if (sub.retryCount === 0) compound.retry(sub, broken);
        else if (sub.retryCount === 1) compound.retry(sub, members[1]);
      },
      merge: concatenate.merge,
    };
    for (const [collation, code] of [
      [concatenate, "CEV_PROGRAM"],
      [elsewhere, undefined],
    ] as const) {
      io.prepare(Op.read, 0, 2 * BLOCK, io.data);
      const compound = pool.over(io, collation);
      compound.add(broken, Op.read, 0, BLOCK, io.data);
      compound.add(members[1]!, Op.read, 0, BLOCK, io.data, BLOCK);
      compound.submit();
      expect([io.error?.code, io.data[BLOCK]]).toEqual([code, 2]);
    }
  });

  it("sub-I/Os added while others end are part of the whole", () => {
    const { members, pool, io } = setUp();
    const grow: Collation = {
      name: "grow",
      ended(compound, sub) {
        if (sub.index !== 0) return;
        compound.add(members[1]!, Op.read, 0, BLOCK, io.data, BLOCK);
        compound.submitAdded();
      },
      merge: (compound) => concatenate.merge(compound),
    };
    members[1]!.isManual = true;
    const compound = pool.over(io, grow);
    compound.add(members[0]!, Op.read, 0, BLOCK, io.data);
    compound.submit();
    expect(io.state).toBe(EventState.pending);
    members[1]!.finish();
    expect([io.isUpToDate, io.data[0], io.data[BLOCK]]).toEqual([true, 1, 2]);
  });

  it("a compound event of no parts is done at once", () => {
    const { pool, io } = setUp();
    pool.over(io, concatenate).submit();
    expect(io.isUpToDate).toBe(true);
  });
});
