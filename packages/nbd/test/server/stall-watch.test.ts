import type { Buffer } from "node:buffer";
import { beforeEach, describe, expect, test } from "vitest";
import { MemoryBudget } from "../../src/memory/memory-budget.ts";
import { Command, CommandFlag } from "../../src/protocol/numbers.ts";
import type { FakeClient } from "../support/fake-client.ts";
import { request } from "../support/messages.ts";
import { endAll, makeStack, pattern } from "../support/stack.ts";
import type { Stack } from "../support/stack.ts";

let stack: Stack;
beforeEach(async () => {
  stack = await makeStack();
});

/** Lets so much time pass, and all that happens in it. */
function pass(ms: number): Promise<void> {
  const { clock } = stack.world.environment;
  return stack.world.drive(new Promise((resolve) => clock.after(ms, resolve)));
}

const write = (length: number): Buffer => request({ command: Command.write, payload: pattern(length) });

describe("half a message", () => {
  test.for([10, 100, 600_000])(
    "of which %i bytes came ends the connection when the time is up",
    async (came) => {
      const client = stack.connect({ messageTimeoutMs: 8000 }).enter("disk");
      client.send(write(900_000).subarray(0, came));
      await pass(7900);
      expect(client.closedCount).toBe(0);
      await pass(2200);
      expect(client.errorCode).toBe("CEV_TIMED_OUT");
      await endAll(stack, client);
    },
  );

  test("that drips in, a byte at a time, does not hold its memory for ever", async () => {
    const client = stack.connect({ messageTimeoutMs: 8000 }).enter("disk");
    const message = write(900_000);
    for (let at = 0; at < 20 && client.closedCount === 0; at++) {
      client.send(message.subarray(at * 100, at * 100 + 100));
      await pass(1000);
    }
    expect(client.errorCode).toBe("CEV_TIMED_OUT");
    await endAll(stack, client);
  });

  test("over a slow line gets there in the end", async () => {
    const client = stack.connect({ messageTimeoutMs: 2000 }).enter("disk");
    const message = write(900_000);
    for (let at = 0; at < message.length; at += 50_000) {
      client.send(message.subarray(at, at + 50_000));
      await pass(1000);
    }
    expect(client.replies()[0]).toMatchObject({ error: 0 });
    await endAll(stack, client);
  });
});

describe("a client that has closed its side", () => {
  beforeEach(() => {
    stack.layer.completion = "byHand";
  });

  test("may be one that was killed: when none of its requests ends in time it is let go, and they are cancelled", async () => {
    const client = stack.connect({ messageTimeoutMs: 8000 }).enter("disk");
    client.request({ command: Command.read, length: 512 });
    client.connection.ended();
    await pass(7900);
    expect(client.closedCount).toBe(0);
    expect(client.connection.inFlightCount).toBe(1);
    await pass(200);
    expect(client.errorCode).toBe("CEV_TIMED_OUT");
    // The disk does as it is told.
    expect(stack.layer.pending).toHaveLength(0);
    expect(client.connection.inFlightCount).toBe(0);
    expect(client.settledCount).toBe(1);
  });

  test("gets all of its answers as long as some of them come in time", async () => {
    const client = stack.connect({ messageTimeoutMs: 8000 }).enter("disk");
    for (let cookie = 0; cookie < 6; cookie++) client.request({ command: Command.read, cookie, length: 512 });
    client.connection.ended();
    for (let count = 0; count < 6; count++) {
      await pass(7000);
      stack.layer.completeNext();
    }
    await pass(10);
    expect(client.replies()).toHaveLength(6);
    expect(client.transport.isEnded).toBe(true);
    expect(client.errorCode).toBe(undefined);
  });

  test("is waited for as long as it takes where that was wished", async () => {
    const client = stack.connect({ messageTimeoutMs: 0 }).enter("disk");
    client.request({ command: Command.read, length: 512 });
    client.connection.ended();
    await pass(10_000_000);
    stack.layer.completeAll();
    await stack.world.run();
    expect(client.replies()).toMatchObject([{ error: 0 }]);
  });
});

test("a client that takes none of its answers is let go when the time is up, and not before", async () => {
  const client = stack.connect({ messageTimeoutMs: 8000 }).enter("disk");
  client.transport.isReader = false;
  client.request({ command: Command.read, length: 65_536 });
  await pass(7900);
  expect(client.closedCount).toBe(0);
  await pass(2200);
  expect(client.errorCode).toBe("CEV_TIMED_OUT");
  await endAll(stack, client);
});

test("one that waits for a slow device is in nobody's way", async () => {
  const client = stack.connect({ messageTimeoutMs: 1000, idleTimeoutMs: 1000 }).enter("disk");
  stack.layer.completion = "byHand";
  client.request({ command: Command.read, length: 4096 });
  await pass(60_000);
  expect(client.closedCount).toBe(0);
  stack.layer.completeAll();
  await pass(1);
  expect(client.replies()).toHaveLength(1);
  await endAll(stack, client);
});

describe("a client that does nothing", () => {
  test("stays for ever where nothing else was asked for", async () => {
    const client = stack.connect({ messageTimeoutMs: 1000 }).enter("disk");
    client.request({ command: Command.read, length: 4096 });
    await pass(1_000_000);
    expect(client.closedCount).toBe(0);
    await endAll(stack, client);
  });

  test("is let go when its time is up, and each request starts it anew", async () => {
    const client = stack.connect({ idleTimeoutMs: 10_000 }).enter("disk");
    for (let round = 0; round < 5; round++) {
      await pass(9000);
      client.request({ command: Command.read, length: 4096 });
    }
    expect(client.closedCount).toBe(0);
    await pass(13_000);
    expect(client.errorCode).toBe("CEV_TIMED_OUT");
    await endAll(stack, client);
  });
});

describe("with a time for idleness, which is looked for at long intervals,", () => {
  test("half a message that has just begun has its time", async () => {
    const client = stack.connect({ messageTimeoutMs: 60_000, idleTimeoutMs: 600_000 }).enter("disk");
    await pass(149_900);
    const message = write(400_000);
    client.send(message.subarray(0, 200_000));
    await pass(55_000);
    expect(client.closedCount).toBe(0);
    client.send(message.subarray(200_000));
    await pass(60_000);
    expect(client.closedCount).toBe(0);
    expect(client.replies()).toMatchObject([{ error: 0 }]);
    await endAll(stack, client);
  });

  test("half a message is not waited for any longer", async () => {
    const client = stack.connect({ messageTimeoutMs: 60_000, idleTimeoutMs: 6_000_000 }).enter("disk");
    await pass(1000);
    client.send(write(400_000).subarray(0, 200_000));
    await pass(80_000);
    expect(client.errorCode).toBe("CEV_TIMED_OUT");
    await endAll(stack, client);
  });

  test("one that works a little, now and then, stays", async () => {
    const client = stack.connect({ messageTimeoutMs: 100, idleTimeoutMs: 10_000 }).enter("disk");
    for (let round = 0; round < 30; round++) {
      await pass(2400 + round);
      client.send(write(400_000).subarray(0, 200_000));
      await pass(10);
      client.send(write(400_000).subarray(200_000));
    }
    expect(client.closedCount).toBe(0);
    expect(client.replies()).toHaveLength(30);
    await endAll(stack, client);
  });
});

describe("a client that takes its answers a little at a time", () => {
  const LENGTH = 524_288;

  /** It takes 512 KiB as one write, of which so many bytes leave in each of so many seconds. */
  async function drip(perSecond: number, seconds: number, hasNeighbour: boolean): Promise<FakeClient> {
    const budget = new MemoryBudget(LENGTH);
    const client = stack.connect({ messageTimeoutMs: 8000, budget }).enter("disk");
    client.transport.isReader = false;
    client.request({ command: Command.read, length: LENGTH, flags: CommandFlag.df });
    await pass(1);
    const neighbour = stack.connect({ budget }).enter("disk");
    if (hasNeighbour) neighbour.request({ command: Command.read, length: 65_536, flags: CommandFlag.df });
    for (let second = 0; second < seconds && client.closedCount === 0; second++) {
      client.transport.leave(perSecond);
      await pass(1000);
    }
    expect(neighbour.replies()).toHaveLength(hasNeighbour && client.closedCount > 0 ? 1 : 0);
    neighbour.transport.destroy();
    for (const pool of neighbour.pools) pool.close();
    return client;
  }

  test("is let go where others wait for the memory", async () => {
    const client = await drip(10_000, 30, true);
    expect(client.errorCode).toBe("CEV_TIMED_OUT");
    await endAll(stack, client);
  });

  test("may take its time where nobody does", async () => {
    const client = await drip(10_000, 30, false);
    expect(client.closedCount).toBe(0);
    await endAll(stack, client);
  });

  test("is not in the way where all of it leaves in good time", async () => {
    const client = await drip(80_000, 6, true);
    expect(client.closedCount).toBe(0);
    await endAll(stack, client);
  });
});
