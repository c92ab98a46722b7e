import { beforeEach, expect, test } from "vitest";
import { Command } from "../../src/protocol/numbers.ts";
import type { FakeClient } from "../support/fake-client.ts";
import { endAll, makeStack, pattern } from "../support/stack.ts";
import type { Stack } from "../support/stack.ts";

const OLD = pattern(4096, 1);
const NEW = pattern(4096, 2);

let stack: Stack;
let orphaned: FakeClient;

/** A client that has gone while a write of it at 8192 is stuck in the device. */
beforeEach(async () => {
  stack = await makeStack();
  stack.layer.completion = "byHand";
  orphaned = stack.connect().enter("disk");
  orphaned.request({ command: Command.write, offset: 8192, payload: OLD });
  expect(stack.layer.pending).toHaveLength(1);
  orphaned.transport.destroy();
  expect(orphaned.settledCount).toBe(0);
});

/** Ends the last of them, and shows that the memory of all went back. */
async function endAllOf(...clients: readonly FakeClient[]): Promise<void> {
  for (const client of [orphaned, ...clients.slice(0, -1)]) for (const pool of client.pools) pool.close();
  await endAll(stack, clients.at(-1)!);
}

async function completeAll(): Promise<void> {
  while (stack.layer.pending.length > 0) {
    stack.layer.completeAll();
    await stack.world.run();
  }
}

const contents = (offset: number): Uint8Array => stack.layer.bytes.slice(offset, offset + 4096);

test.for([
  ["a write", { command: Command.write, offset: 8192, payload: NEW }, NEW],
  ["a write over its end", { command: Command.write, offset: 10_240, payload: NEW }, null],
  ["zeroes", { command: Command.writeZeroes, offset: 8192, length: 4096 }, new Uint8Array(4096)],
  ["a trim", { command: Command.trim, offset: 4096, length: 8192 }, null],
] as const)(
  "%s of a client that comes back waits for what its lost connection left",
  async ([, parts, after]) => {
    const client = stack.connect().enter("disk");
    client.request(parts);
    await stack.world.run();
    expect(stack.layer.pending).toHaveLength(1);
    expect(client.replies()).toHaveLength(0);
    stack.layer.completeNext(0);
    await stack.world.run();
    expect(orphaned.settledCount).toBe(1);
    expect(stack.layer.pending).toHaveLength(1);
    await completeAll();
    expect(client.replies()).toMatchObject([{ error: 0 }]);
    if (after !== null) expect(contents(8192)).toEqual(after);
    await endAllOf(client);
  },
);

test("writes elsewhere, reads and flushes do not wait", async () => {
  const client = stack.connect().enter("disk");
  client.request({ command: Command.write, offset: 12_288, payload: NEW });
  client.request({ command: Command.write, offset: 4096, payload: NEW });
  client.request({ command: Command.read, offset: 8192, length: 4096 });
  client.request({ command: Command.flush });
  await stack.world.run();
  expect(stack.layer.pending).toHaveLength(5);
  await completeAll();
  expect(client.replies()).toHaveLength(4);
  await endAllOf(client);
});

test("a client that goes while it waits has changed nothing, and is not waited for", async () => {
  const second = stack.connect().enter("disk");
  second.request({ command: Command.write, offset: 8192, payload: NEW });
  await stack.world.run();
  second.transport.destroy();
  await stack.world.run();
  expect(second.settledCount).toBe(1);
  await completeAll();
  expect(contents(8192)).toEqual(OLD);
  const third = stack.connect().enter("disk");
  third.request({ command: Command.write, offset: 8192, payload: NEW });
  await stack.world.run();
  expect(stack.layer.pending).toHaveLength(1);
  await completeAll();
  await endAllOf(second, third);
});

test("a write over what several lost connections left waits for all of them", async () => {
  const lost = stack.connect().enter("disk");
  lost.request({ command: Command.write, offset: 20_480, payload: OLD });
  lost.transport.destroy();
  const client = stack.connect().enter("disk");
  const long = pattern(16_384, 3);
  client.request({ command: Command.write, offset: 8192, payload: long });
  await stack.world.run();
  expect(stack.layer.pending).toHaveLength(2);
  stack.layer.completeNext(1);
  await stack.world.run();
  expect(stack.layer.pending).toHaveLength(1);
  expect(client.replies()).toHaveLength(0);
  await completeAll();
  expect(client.replies()).toMatchObject([{ error: 0 }]);
  expect(contents(20_480)).toEqual(long.slice(12_288));
  await endAllOf(lost, client);
});
