import { describe, expect, it } from "vitest";
import { CevError, Completion, EventState, IoError, Op, ProgramError, RunQueue } from "../src/index.ts";
import type { Io } from "../src/index.ts";
import { MemoryLayer, Turns, newIo, newQueue } from "./support.ts";

const note = (log: string[]) => (name: string) => (): void => void log.push(name);

describe("the completion chain", () => {
  it("A3 runs actions last in, first out", () => {
    const io = newIo(newQueue());
    const log: string[] = [];
    for (const name of "abc") io.pushAction(note(log)(name), null);
    io.complete();
    expect(log.join("")).toBe("cba");
  });

  it("A3 runs an action that is pushed during completion next", () => {
    const io = newIo(newQueue());
    const log: string[] = [];
    io.pushAction(note(log)("a"), null);
    io.pushAction((event) => {
      log.push("b");
      event.pushAction(note(log)("pushed"), null);
    }, null);
    io.complete();
    expect(log).toEqual(["b", "pushed", "a"]);
  });

  it("A4 is up to date only after every action has run, and not when one of them left an error", () => {
    const io = newIo(newQueue());
    const seen: boolean[] = [];
    for (let count = 0; count < 3; count++) io.pushAction((event) => void seen.push(event.isUpToDate), null);
    io.complete();
    expect(seen).toEqual([false, false, false]);
    expect(io.isUpToDate).toBe(true);

    const failed = newIo(newQueue());
    failed.pushAction((event) => void (event.error = new IoError("CEV_IO", "found bad on the way up")), null);
    failed.complete();
    expect(failed.isUpToDate).toBe(false);
    expect(failed.state).toBe(EventState.done);
  });

  it("A5 wakes whoever waits after all actions, once, first come first served, its owner last", () => {
    const io = newIo(newQueue());
    const log: string[] = [];
    io.setOwner(note(log)("owner"), null);
    io.wait(note(log)("first"), null);
    io.pushAction(note(log)("action a"), null);
    io.wait(note(log)("second"), null);
    io.pushAction(note(log)("action b"), null);
    io.complete();
    expect(log).toEqual(["action b", "action a", "first", "second", "owner"]);
  });

  it("A5 wakes exclusive waiters newest first, after the others", () => {
    const io = newIo(newQueue());
    const log: string[] = [];
    io.waitExclusive(note(log)("x1"), null);
    io.wait(note(log)("w1"), null);
    io.waitExclusive(note(log)("x2"), null);
    io.wait(note(log)("w2"), null);
    io.complete();
    expect(log).toEqual(["w1", "w2", "x2", "x1"]);
  });

  it("A5 wakes nobody early: not while an action holds the chain, nor while a retry is under way", () => {
    const queue = newQueue();
    const memory = new MemoryLayer(8192);
    memory.isManual = true;
    const io = newIo(queue);
    let wakeCount = 0;
    io.wait(() => wakeCount++, null);
    io.pushAction((event) => event.hold(), null);
    io.pushAction((event) => {
      event.restart();
      memory.submit(event);
    }, null);
    memory.submit(io);
    memory.finish();
    expect([wakeCount, io.state]).toEqual([0, EventState.pending]);
    memory.finish();
    expect([wakeCount, io.state]).toEqual([0, EventState.held]);
    io.resume();
    expect([wakeCount, io.state]).toEqual([1, EventState.done]);
  });

  it("A5 lets a waiter leave, and wakes one that comes when all is over at once", () => {
    const io = newIo(newQueue());
    const log: string[] = [];
    const entry = io.wait(note(log)("leaves"), null)!;
    expect(io.stopWaiting(entry)).toBe(true);
    io.complete();
    expect(io.wait(note(log)("late"), null)).toBeNull();
    expect(io.waitExclusive(note(log)("later"), null)).toBeNull();
    expect(log).toEqual(["late", "later"]);
  });

  it("A6 runs a deferred action in a later turn, and the rest of the chain waits for it", () => {
    const turns = new Turns();
    const io = newIo(newQueue(turns));
    const log: string[] = [];
    io.wait(note(log)("woken"), null);
    io.pushAction(note(log)("below"), null);
    io.pushDeferredAction(note(log)("deferred"), null);
    io.pushAction(note(log)("above"), null);
    io.complete();
    expect(log).toEqual(["above"]);
    turns.runOne();
    expect(log).toEqual(["above", "deferred", "below", "woken"]);
  });

  it("A6 serves all that are deferred in one turn with one task", () => {
    const turns = new Turns();
    const queue = newQueue(turns);
    let ran = 0;
    for (let count = 0; count < 10; count++) {
      const io = newIo(queue);
      io.pushDeferredAction(() => ran++, null);
      io.complete();
    }
    expect(turns.pendingCount).toBe(1);
    turns.runOne();
    expect(ran).toBe(10);
  });

  it("a hold that is resumed before its action returns goes on in order", () => {
    const io = newIo(newQueue());
    const log: string[] = [];
    io.pushAction(note(log)("below"), null);
    io.pushAction((event) => {
      event.hold();
      event.resume();
      log.push("held and resumed");
    }, null);
    io.complete();
    expect(log).toEqual(["held and resumed", "below"]);
    expect(io.state).toBe(EventState.done);
  });
});

describe("rules of completion", () => {
  it("an Io that completes before submit returns is as good as any other", () => {
    const io = newIo(newQueue());
    const memory = new MemoryLayer(8192);
    let woken = 0;
    io.setOwner(() => woken++, null);
    memory.submit(io);
    expect([woken, io.isUpToDate, io.transferred]).toEqual([1, true, 4096]);
  });

  it("completing twice is a program error that says so, in every state", () => {
    const io = newIo(newQueue());
    io.pushAction((event) => {
      expect(() => event.complete()).toThrow(/completed twice \(it is running\)/);
      event.hold();
    }, null);
    io.complete();
    expect(() => io.complete()).toThrow(/completed twice \(it is held\)/);
    io.resume();
    expect(() => io.complete()).toThrow(ProgramError);
    const event = new Completion(newQueue());
    event.complete();
    expect(() => event.complete()).toThrow(/completed twice \(it is done\)/);
  });

  it("a late completion meets the generation of a recycled Io and changes nothing", () => {
    const io = newIo(newQueue());
    const { generation } = io;
    io.complete();
    io.prepare(Op.read, 0, 512, new Uint8Array(512));
    expect(io.completeIf(generation)).toBe(false);
    expect(io.state).toBe(EventState.pending);
    expect(io.completeIf(io.generation)).toBe(true);
    expect(io.completeIf(io.generation)).toBe(false);
  });

  it("an action pushed after completion is a program error that names it", () => {
    const io = newIo(newQueue());
    io.complete();
    expect(() => io.pushAction(function tooLate() {}, null)).toThrow(/tooLate/);
  });

  it("hold, resume and restart are refused where they make no sense", () => {
    const io = newIo(newQueue());
    expect(() => io.hold()).toThrow(/outside an action/);
    expect(() => io.resume()).toThrow(/not held/);
    expect(() => io.restart()).toThrow(/pending/);
    io.complete();
    expect(() => io.restart()).toThrow(/done/);
  });

  it("an action that throws makes the Io fail, the chain goes on, and the queue runs the next one", () => {
    const queue = newQueue();
    const io = newIo(queue);
    const log: string[] = [];
    io.pushAction(note(log)("below"), null);
    io.pushAction(() => {
      throw new Error("oops");
    }, null);
    io.complete();
    expect(log).toEqual(["below"]);
    expect(io.error?.code).toBe("CEV_PROGRAM");
    expect(io.error?.message).toContain("oops");
    const next = newIo(queue);
    next.complete();
    expect(next.isUpToDate).toBe(true);
  });

  it("an action that throws keeps an error that is there already", () => {
    const io = newIo(newQueue());
    io.pushAction(() => {
      throw new Error("oops");
    }, null);
    io.complete(new CevError("CEV_MEDIUM", "bad sector"));
    expect(io.error?.code).toBe("CEV_MEDIUM");
  });

  it("what an action throws after it has handed the Io on is reported, and the Io goes its way", () => {
    const turns = new Turns();
    const io = newIo(newQueue(turns));
    io.pushAction((event) => {
      event.hold();
      throw new Error("too late");
    }, null);
    io.complete();
    expect(() => turns.runAll()).toThrow("too late");
    io.resume();
    expect(io.isUpToDate).toBe(true);
  });

  it("a waiter that throws is reported in a turn of its own; the others are woken and the queue is free", () => {
    const turns = new Turns();
    const queue = newQueue(turns);
    const io = newIo(queue);
    const log: string[] = [];
    io.wait(() => {
      throw new Error("waiter");
    }, null);
    io.wait(note(log)("second"), null);
    io.setOwner(note(log)("owner"), null);
    io.complete();
    expect(log).toEqual(["second", "owner"]);
    expect(() => turns.runAll()).toThrow("waiter");
    const next = newIo(queue);
    next.complete();
    expect(next.isUpToDate).toBe(true);
  });

  it("waking during a wake: what a waiter completes is woken after it, not within it", () => {
    const queue = newQueue();
    const first = newIo(queue);
    const second = newIo(queue);
    const log: string[] = [];
    second.setOwner(note(log)("second"), null);
    first.setOwner(() => {
      second.complete();
      log.push("first");
    }, null);
    first.complete();
    expect(log).toEqual(["first", "second"]);
  });

  it("an owner may use the Io again at once", () => {
    const queue = newQueue();
    const memory = new MemoryLayer(8192);
    let rounds = 0;
    const again = (io: Io): void => {
      if (++rounds === 1000) return;
      io.prepare(Op.read, 0, 512, new Uint8Array(512)).setOwner(again, null);
      memory.submit(io);
    };
    const io = newIo(queue);
    io.setOwner(again, null);
    memory.submit(io);
    expect(rounds).toBe(1000);
  });

  it("a promise of an event settles with its outcome", async () => {
    const good = newIo(newQueue());
    const bad = newIo(newQueue());
    const promises = [good.promise(), bad.promise()] as const;
    good.complete();
    bad.fail("CEV_IO", "broken", "test");
    await expect(promises[0]).resolves.toBe(good);
    await expect(promises[1]).rejects.toMatchObject({
      code: "CEV_IO",
      place: { layer: "test", op: "read", offset: 4096 },
    });
  });

  it("100,000 resubmissions from the completion action do not overflow the call stack", () => {
    const turns = new Turns();
    const queue = new RunQueue({ later: turns.later, completionsPerTurnMax: 1e9 });
    const memory = new MemoryLayer(8192);
    memory.failure = (io) =>
      memory.seen.length <= 100_000 ? new IoError("CEV_IO", `attempt at ${io.offset}`) : null;
    const io = newIo(queue);
    const retry = (event: Io): void => {
      if (event.error === null) return;
      event.restart();
      event.pushAction(retry, null);
      memory.submit(event);
    };
    io.pushAction(retry, null);
    memory.submit(io);
    expect([io.isUpToDate, memory.seen.length]).toEqual([true, 100_001]);
  });

  it("one turn carries a bounded number of completions; the rest goes on in the next, in order", () => {
    const turns = new Turns();
    const queue = new RunQueue({ later: turns.later, completionsPerTurnMax: 10 });
    const log: number[] = [];
    const first = newIo(queue);
    first.pushAction(() => {
      for (let index = 0; index < 25; index++) {
        const io = newIo(queue);
        io.setOwner(() => log.push(index), null);
        io.complete();
      }
    }, null);
    first.complete();
    expect(log.length).toBe(10);
    const late = newIo(queue);
    late.setOwner(() => log.push(99), null);
    late.complete();
    expect(log.length).toBe(10);
    turns.runOne();
    expect(log.length).toBe(20);
    turns.runAll();
    expect(log).toEqual([...Array.from({ length: 25 }, (_, index) => index), 99]);
  });
});
