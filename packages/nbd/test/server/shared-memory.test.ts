import { beforeEach, expect, test } from "vitest";
import { MemoryBudget } from "../../src/memory/memory-budget.ts";
import { Command } from "../../src/protocol/numbers.ts";
import type { RequestTrace } from "../../src/server/transmission/trace.ts";
import type { FakeClient } from "../support/fake-client.ts";
import { makeStack, pattern } from "../support/stack.ts";
import type { Stack } from "../support/stack.ts";

const LENGTH = 65_536;

let stack: Stack;
let budget: MemoryBudget;
beforeEach(async () => {
  stack = await makeStack();
  stack.layer.completion = "byHand";
  budget = new MemoryBudget(100_000);
});

const connect = (): FakeClient => stack.connect({ budget }).enter("disk");
const write = (client: FakeClient, offset: number, length = LENGTH): FakeClient =>
  client.request({ command: Command.write, offset, payload: pattern(length, offset) });

/** Ends the oldest request, and lets what follows from it happen. */
async function complete(): Promise<void> {
  stack.layer.completeNext(0);
  await stack.world.run();
}

test("requests of one connection wait for the memory of another's, and go on when it is free", async () => {
  const [first, second, third] = [connect(), connect(), connect()];
  write(first, 0);
  write(second, 65_536);
  write(third, 131_072);
  await stack.world.run();
  expect(stack.layer.pending).toHaveLength(1);
  for (const client of [first, second, third]) {
    await complete();
    expect(client.replies()).toMatchObject([{ error: 0 }]);
  }
  expect(stack.layer.bytes.slice(131_072, 131_072 + LENGTH)).toEqual(pattern(LENGTH, 131_072));
  expect(budget.bytesTaken).toBe(0);
});

test("a request that needs more than there is goes alone", async () => {
  const [first, second] = [connect(), connect()];
  write(first, 0, 300_000);
  write(second, 524_288);
  await stack.world.run();
  while (first.replies().length === 0) {
    expect(stack.layer.log.every(({ offset }) => offset < 524_288)).toBe(true);
    await complete();
  }
  await complete();
  expect(second.replies()).toMatchObject([{ error: 0 }]);
});

test("a connection that goes while it waits leaves its turn to the next", async () => {
  const [first, second, third] = [connect(), connect(), connect()];
  write(first, 0);
  write(second, 65_536);
  write(third, 131_072);
  second.transport.destroy();
  await complete();
  expect(first.replies()).toHaveLength(1);
  await complete();
  expect(third.replies()).toMatchObject([{ error: 0 }]);
  expect(budget.bytesTaken).toBe(0);
});

test("a connection that does nothing holds 32 KiB, also when it was busy before", async () => {
  const { buffers } = stack.world.environment;
  stack.layer.completion = "atOnce";
  const client = connect();
  expect(buffers.bytesLent).toBe(32_768);
  for (let round = 0; round < 20; round++) write(client, round * 4096);
  for (let cookie = 0; cookie < 20; cookie++)
    client.request({ command: Command.read, cookie, length: 16_384 });
  expect(buffers.bytesLent).toBeGreaterThan(500_000);
  for (let round = 0; round < 200; round++) client.request({ command: Command.read, length: 512 });
  client.received();
  for (const pool of client.pools) pool.close();
  expect(buffers.bytesLent).toBe(32_768);
});

test("each request is told of with its range, outcome and time, refused ones as well", async () => {
  const traces: RequestTrace[] = [];
  const client = stack.connect({ onRequest: (trace) => traces.push(trace) }).enter("disk");
  write(client, 4096, 512);
  stack.world.environment.clock.after(25, () => stack.layer.completeAll());
  await stack.world.run();
  stack.layer.completion = "atOnce";
  client.request({ command: Command.read, offset: 512, length: 1024 });
  client.request({ command: Command.read, offset: 1_048_576, length: 512 });
  client.request({ command: Command.flush });
  await stack.world.run();
  expect(traces).toMatchObject([
    { connection: 1, command: "write", offset: 4096, length: 512, errno: 0, microseconds: 25_000 },
    { command: "read", offset: 512, length: 1024, errno: 0 },
    { command: "read", offset: 1_048_576, length: 512, errno: 22 },
    { command: "flush", errno: 0 },
  ]);
  expect(client.connection.figures).toMatchObject({ requestCount: 4, bytesRead: 1024, bytesWritten: 512 });
});
