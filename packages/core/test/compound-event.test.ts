import { describe, expect, it } from "vitest";
import {
  CevError,
  Completion,
  CompoundEvent,
  EventState,
  all,
  any,
  atLeast,
  statusOf,
} from "../src/index.ts";
import type { EventCollation } from "../src/index.ts";
import { newIo, newQueue } from "./support.ts";

const error = new CevError("CEV_IO", "broken");

function over(collation: EventCollation, count = 3): { compound: CompoundEvent; events: Completion[] } {
  const queue = newQueue();
  const events = Array.from({ length: count }, () => new Completion(queue));
  const compound = new CompoundEvent(queue, collation);
  for (const event of events) compound.add(event);
  return { compound: compound.start(), events };
}

describe("CompoundEvent", () => {
  it("G1 all: happens when all events have, whatever kind they are of and in whatever order they happen", () => {
    const queue = newQueue();
    const happened = new Completion(queue);
    happened.complete();
    const timer = new Completion(newQueue());
    const io = newIo(queue);
    const inner = new CompoundEvent(queue, all).add(timer).start();
    const compound = new CompoundEvent(queue, all).add(io).add(happened).add(inner).start();
    expect(compound.pendingCount).toBe(2);
    timer.complete();
    expect(compound.state).toBe(EventState.pending);
    io.complete();
    expect(compound.isUpToDate).toBe(true);
  });

  it("G1 all: fails with the error of the first that failed, in the order they were added, after all have ended", () => {
    const { compound, events } = over(all);
    events[2]!.complete(new CevError("CEV_MEDIUM", "later in order"));
    events[1]!.complete(error);
    expect(compound.state).toBe(EventState.pending);
    events[0]!.complete();
    expect(compound.error).toBe(error);
  });

  it("G1 any: the first success is enough; it fails only when all have", () => {
    const first = over(any);
    first.events[0]!.complete(error);
    expect(first.compound.state).toBe(EventState.pending);
    first.events[2]!.complete();
    expect(first.compound.isUpToDate).toBe(true);
    first.events[1]!.complete(error);
    expect(first.compound.isUpToDate).toBe(true);

    const none = over(any);
    for (const event of none.events) event.complete(error);
    expect(none.compound.error).toBe(error);
  });

  it("G1 at least N: a quorum", () => {
    const { compound, events } = over(atLeast(2), 4);
    events[3]!.complete();
    events[0]!.complete(error);
    expect(compound.state).toBe(EventState.pending);
    events[1]!.complete();
    expect(compound.isUpToDate).toBe(true);
  });

  it("G1 a rule of one's own decides when it has seen enough", () => {
    const order: number[] = [];
    const collation: EventCollation = {
      name: "the second to end",
      ended(compound, event) {
        order.push(compound.events.indexOf(event));
        if (order.length === 2) compound.decide(event.error);
      },
      outcome: () => null,
    };
    const { compound, events } = over(collation);
    events[2]!.complete();
    events[0]!.complete(error);
    expect([compound.state, compound.error]).toEqual([EventState.done, error]);
    events[1]!.complete();
    expect(order).toEqual([2, 0]);
  });

  it("G1 events have actions and waiters of their own, and a compound event is one", () => {
    const { compound, events } = over(all, 2);
    const log: string[] = [];
    compound.wait(() => log.push("waiter"), null);
    compound.pushAction(() => void log.push("action"), null);
    events[0]!.pushAction(() => void log.push("of an event"), null);
    for (const event of events) event.complete();
    expect(log).toEqual(["of an event", "action", "waiter"]);
  });

  it("cancelling a compound event cancels what is under way below it, also in other run queues", () => {
    const { compound, events } = over(all);
    const other = new Completion(newQueue());
    other.pushAction(() => {}, { onCancel: (event: Completion) => event.complete(error) });
    const outer = new CompoundEvent(newQueue(), all).add(compound).add(other).start();
    events[0]!.complete();
    outer.cancel();
    expect(events.map((event) => event.isCancelRequested)).toEqual([false, true, true]);
    expect(other.error).toBe(error);
  });

  it("completes neither before its start nor after its end, and takes no event then", () => {
    const queue = newQueue();
    const happened = new Completion(queue);
    happened.complete();
    const compound = new CompoundEvent(queue, all).add(happened);
    expect(compound.state).toBe(EventState.pending);
    compound.start();
    expect(compound.isUpToDate).toBe(true);
    expect(() => compound.start()).toThrow(/started twice/);
    expect(() => compound.add(new Completion(queue))).toThrow(/has ended/);
  });

  it("T2 is watched as a tree like any other event", () => {
    const { compound, events } = over(all, 2);
    events[0]!.complete();
    expect(statusOf(compound)).toMatchObject({
      kind: "compound",
      state: "pending",
      parts: [{ event: { state: "done" } }, { event: { kind: "event", state: "pending" } }],
    });
  });
});
