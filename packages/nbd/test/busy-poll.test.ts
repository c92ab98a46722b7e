import { describe, expect, test } from "vitest";
import { Environment } from "@cev/core";
import { BusyPoll } from "../src/transport/busy-poll.ts";

/** Turns that run when they are told to; each takes a microsecond, unless time stands still. */
class Turns {
  nowMs = 0;
  isStill = false;
  readonly tasks: (() => void)[] = [];
  readonly environment = new Environment({
    clock: {
      now: () => this.nowMs,
      after: () => {
        throw new Error("no timer is needed");
      },
    },
    later: (task) => this.tasks.push(task),
    random: () => {},
  });

  /** Runs turns until none is wanted any more. Returns how many there were. */
  run(): number {
    for (let count = 0; ; count++) {
      const task = this.tasks.shift();
      if (task === undefined) return count;
      if (!this.isStill) this.nowMs += 0.001;
      task();
    }
  }

  /** A message, and its answer at once, `afterUs` after the last. */
  exchange(poll: BusyPoll, afterUs: number): void {
    this.nowMs += afterUs / 1000;
    poll.arrived();
    poll.left();
  }
}

function manyInTime(turns: Turns, poll: BusyPoll): void {
  for (let count = 0; count < 20; count++) turns.exchange(poll, 10);
}

describe("looking for the next message instead of sleeping", () => {
  test("goes on for the time that it was given after the last answer, and ends", () => {
    const turns = new Turns();
    const poll = new BusyPoll(turns.environment, 50, 2);
    manyInTime(turns, poll);
    expect(turns.run()).toBeGreaterThanOrEqual(49);
    expect(turns.nowMs).toBeLessThan(0.2 + 0.055);
  });

  test("is one look after the other, however many messages come meanwhile", () => {
    const turns = new Turns();
    const poll = new BusyPoll(turns.environment, 50, 2);
    manyInTime(turns, poll);
    manyInTime(turns, poll);
    expect(turns.tasks.length).toBe(1);
  });

  test("is not done for the first messages, nor for those that take their time", () => {
    const turns = new Turns();
    const poll = new BusyPoll(turns.environment, 50, 2);
    turns.exchange(poll, 10);
    expect(turns.tasks.length).toBe(0);
    for (let count = 0; count < 100; count++) turns.exchange(poll, 60);
    expect(turns.tasks.length).toBe(0);
  });

  test("is given up soon when messages get rare", () => {
    const turns = new Turns();
    const poll = new BusyPoll(turns.environment, 50, 2);
    manyInTime(turns, poll);
    let polls = 0;
    for (let count = 0; count < 100; count++) {
      turns.exchange(poll, 10_000);
      if (turns.run() > 0) polls++;
    }
    expect(polls).toBeLessThanOrEqual(3);
  });

  test("ends also where time stands still", () => {
    const turns = new Turns();
    const poll = new BusyPoll(turns.environment, 50, 2);
    manyInTime(turns, poll);
    turns.isStill = true;
    expect(turns.run()).toBeLessThan(300);
  });

  test.for([
    { maxUs: 0, processors: 2 },
    { maxUs: 50, processors: 1 },
  ])("is never done with $maxUs us and $processors processors", ({ maxUs, processors }) => {
    const turns = new Turns();
    const poll = new BusyPoll(turns.environment, maxUs, processors);
    manyInTime(turns, poll);
    expect(turns.tasks.length).toBe(0);
  });
});
