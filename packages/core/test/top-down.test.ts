import { describe, expect, it } from "vitest";
import type { Io } from "../src/index.ts";
import {
  CompoundIoPool,
  EventState,
  Op,
  allMustSucceed,
  concatenate,
  statusOf,
  subEventsOf,
} from "../src/index.ts";
import { MemoryLayer, OffsetLayer, Turns, newIo, newQueue } from "./support.ts";
import { BLOCK, failing, setUp, stripe } from "./striping.ts";

describe("from the top down", () => {
  it("T1 a cancel reaches all that is under way below, through layers that know nothing of it", () => {
    const { members, pool, io } = setUp(4);
    members.forEach((member) => (member.isManual = true));
    const shifted = members.map((member) => new OffsetLayer(member, 1024));
    const outer = pool.over(io, allMustSucceed);
    const splitter = {
      name: "inner",
      submit(part: Io): void {
        const inner = pool.over(part, allMustSucceed);
        for (const lower of shifted) inner.add(lower, Op.read, part.offset, BLOCK, io.data, 0);
        inner.submit();
      },
    };
    for (let part = 0; part < 3; part++) outer.add(splitter, Op.read, part * BLOCK, BLOCK, io.data);
    outer.submit();
    members[0]!.finish();
    expect(members.map((member) => member.waiting.length)).toEqual([2, 3, 3, 3]);
    io.cancel();
    expect(members.map((member) => member.waiting.length)).toEqual([0, 0, 0, 0]);
    expect([io.state, io.error?.code]).toEqual([EventState.done, "CEV_CANCELLED"]);
  });

  it("T1 a cancel is a request: what cannot be cancelled ends as it ends, and the whole waits for it", () => {
    const { members, pool, io } = setUp(2);
    members.forEach((member) => (member.isManual = true));
    members[1]!.onCancel = () => {};
    const compound = pool.over(io, allMustSucceed);
    for (const member of members) compound.add(member, Op.write, 0, BLOCK, io.data);
    compound.submit();
    io.cancel();
    io.cancel();
    expect([io.state, io.isCancelRequested]).toEqual([EventState.pending, true]);
    members[1]!.finish();
    expect(io.error?.code).toBe("CEV_CANCELLED");
  });

  it("T1 a cancel that races completion changes nothing that is done", () => {
    const io = newIo(newQueue());
    io.pushAction((event) => event.cancel(), null);
    io.wait((event) => event.cancel(), null);
    io.complete();
    io.cancel();
    expect(io.isUpToDate).toBe(true);
  });

  it("T1 sub-I/Os that were not submitted yet when the cancel came are not submitted any more", () => {
    const { members, pool, io } = setUp(3);
    const canceller = {
      name: "canceller",
      submit(part: Io): void {
        io.cancel();
        part.complete();
      },
    };
    const compound = pool.over(io, allMustSucceed);
    compound.add(canceller, Op.write, 0, BLOCK, io.data);
    compound.add(members[1]!, Op.write, 0, BLOCK, io.data);
    compound.submit();
    expect([members[1]!.seen.length, io.error?.code]).toEqual([0, "CEV_CANCELLED"]);
  });

  it("T1 a chain of 10,000 nested compound events is cancelled without overflowing the call stack", () => {
    const memory = new MemoryLayer(8192);
    memory.isManual = true;
    const pool = new CompoundIoPool({ name: "nester" });
    const turns = new Turns();
    const queue = newQueue(turns);
    const io = newIo(queue);
    let inner = io;
    for (let depth = 0; depth < 10_000; depth++) {
      const compound = pool.over(inner, allMustSucceed);
      const next = compound.add({ name: "inner", submit() {} }, Op.flush, 0, 0);
      compound.submit();
      inner = next.io;
    }
    memory.submit(inner);
    io.cancel();
    turns.runAll();
    expect([io.state, io.error?.code]).toEqual([EventState.done, "CEV_CANCELLED"]);
  });

  it("T2 the state of every sub-I/O can be watched across layers, as one tree: who, where, how far, how long", () => {
    const { members, pool, io } = setUp(2);
    let now = 100;
    io.runQueue.watch = { now: () => now };
    members.forEach((member) => (member.isManual = true));
    const compound = pool.over(io, concatenate);
    const shifted = new OffsetLayer(members[1]!, 1024);
    compound.add(members[0]!, Op.read, 0, BLOCK, io.data);
    compound.add(shifted, Op.read, 512, BLOCK, io.data, BLOCK);
    io.wait(() => {}, null);
    compound.submit();
    now = 130;
    members[0]!.finish();
    const status = statusOf(io);
    expect(status).toMatchObject({
      kind: "io",
      state: "pending",
      waiterCount: 1,
      request: { op: "read", length: 4 * BLOCK },
    });
    expect(status.actions).toEqual([{ name: "mergeCompound", owner: "striper" }]);
    expect(status.parts).toMatchObject([
      {
        splitBy: "striper",
        lower: "m0",
        collation: "concatenate",
        elapsedMs: null,
        event: { state: "done", request: { transferred: BLOCK } },
      },
      {
        splitBy: "striper",
        lower: "offset",
        elapsedMs: 30,
        event: { state: "pending", request: { offset: 1536, transferred: 0 } },
      },
    ]);
    expect(status.parts[1]!.event.actions.map((action) => action.name)).toEqual([
      "nothing",
      "restoreOffset",
      "subEnded",
    ]);
    expect(status.parts[1]!.event.actions[0]!.owner).toBe("m1");
    members[1]!.finish();
    expect(statusOf(io)).toMatchObject({ state: "done", parts: [], actions: [] });
  });

  it("T3 one can wait for a sub-event: parts of a large read are taken before the whole is complete", () => {
    const { members, pool, io } = setUp(2);
    members.forEach((member) => (member.isManual = true));
    stripe(pool, members, io, concatenate);
    const taken: [number, number][] = [];
    for (const sub of subEventsOf(io))
      sub.io.wait((part) => taken.push([part.dataOffset, io.data[part.dataOffset]!]), null);
    members[1]!.finish();
    expect(taken).toEqual([[BLOCK, 2]]);
    expect(io.state).toBe(EventState.pending);
    members[0]!.finish();
    expect(taken).toEqual([
      [BLOCK, 2],
      [0, 1],
    ]);
    members[0]!.finishAll();
    members[1]!.finishAll();
    expect([taken.length, io.isUpToDate]).toEqual([4, true]);
  });

  it("T3 who waits for a part that is retried is woken once, when it has really ended", () => {
    const { members, pool, io } = setUp(2);
    members[0]!.isManual = true;
    members[0]!.failure = () => failing();
    const compound = pool.over(io, {
      name: "other",
      ended(whole, sub) {
        if (sub.io.error !== null) whole.retry(sub, members[1]);
      },
      merge: concatenate.merge,
    });
    const sub = compound.add(members[0]!, Op.read, 0, BLOCK, io.data);
    compound.submit();
    const outcomes: (string | null)[] = [];
    sub.io.wait((part) => outcomes.push(part.error?.code ?? null), null);
    members[0]!.finish();
    expect(outcomes).toEqual([null]);
  });
});
