import { Buffer } from "node:buffer";
import { CevError } from "@cev/core";
import { beforeEach, describe, expect, test } from "vitest";
import { MemoryBudget } from "../../src/memory/memory-budget.ts";
import { Command, NbdErrno, OptionReply, OptionType } from "../../src/protocol/numbers.ts";
import { encodeMetaRequest } from "../../src/protocol/option-meta.ts";
import type { StatusQuery } from "../../src/server/contexts/context.ts";
import type { RequestTrace } from "../../src/server/transmission/trace.ts";
import type { FakeClient } from "../support/fake-client.ts";
import { clientFlags, go, option, request } from "../support/messages.ts";
import type { RequestParts } from "../support/messages.ts";
import { STACK_SIZE, makeStack, pattern } from "../support/stack.ts";
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

test("a long request is not overtaken by shorter ones that came later, however many there are", async () => {
  const [first, second, long] = [connect(), connect(), connect()];
  const short = (client: FakeClient): FakeClient => write(client, 0, 32_768);
  short(first);
  short(second);
  write(long, 524_288, 90_000);
  let count = 2;
  // Each asks for more as soon as it is answered; together they never hold nothing.
  for (; count < 40 && long.replies().length === 0; count++) {
    short(first);
    short(second);
    await complete();
  }
  expect(count).toBeLessThan(8);
  while (stack.layer.pending.length > 0) await complete();
  expect(budget.bytesTaken).toBe(0);
  expect(budget.isWanted).toBe(false);
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

describe("a wake-up that one has no use for", () => {
  const read = (client: FakeClient, length: number): FakeClient =>
    client.request({ command: Command.read, length });

  test("goes on to the next: the first is held back by its own answers", async () => {
    budget = new MemoryBudget(16_384);
    const slow = stack.connect({ budget, unsentMax: 1000 }).enter("disk");
    const next = connect();
    slow.transport.isReader = false;
    read(slow, 16_384);
    read(slow, 16_384);
    read(next, 20_480);
    await stack.world.run();
    expect(stack.layer.pending).toHaveLength(1);
    await complete();
    expect(stack.layer.pending).toHaveLength(1);
    await complete();
    expect(next.replies()).toHaveLength(1);
  });

  test("goes on to the next: the first came by its memory without it", async () => {
    budget = new MemoryBudget(80_000);
    const [own, next, last] = [connect(), connect(), connect()];
    write(own, 0, 40_960);
    write(own, 40_960, 32_768);
    write(own, 81_920, 32_768);
    write(next, 131_072, 32_768);
    write(last, 196_608, 32_768);
    await stack.world.run();
    while (stack.layer.pending.length > 0) await complete();
    expect([own, next, last].map((client) => client.replies().length)).toEqual([3, 1, 1]);
    expect(budget.bytesTaken).toBe(0);
    expect(budget.isWanted).toBe(false);
  });

  test("goes on to the next: the first has gone, with its wake-up for room in the pool", async () => {
    budget = new MemoryBudget(10_000_000);
    const [first, second] = [connect(), connect()];
    const { buffers } = stack.world.environment;
    const taken = buffers.acquire(65_536);
    Object.assign(buffers, { bytesMax: buffers.bytesLent });
    read(first, 32_768);
    read(second, 32_768);
    buffers.release(taken);
    first.transport.destroy();
    await stack.world.run();
    expect(stack.layer.pending).toHaveLength(1);
    await complete();
    expect(second.replies()).toHaveLength(1);
  });

  test("goes on to the next: there is room in the pool, but for the first no longer in what all may have", async () => {
    budget = new MemoryBudget(10_000_000);
    const [first, second] = [connect(), connect()];
    const { buffers } = stack.world.environment;
    const taken = buffers.acquire(65_536);
    Object.assign(buffers, { bytesMax: buffers.bytesLent });
    read(first, 32_768);
    read(second, 32_768);
    buffers.release(taken);
    // As a request does whose memory is too long for the pool.
    expect(budget.tryTake(10_000_000, { budgetHasRoom: () => undefined })).toBe(true);
    await stack.world.run();
    first.transport.destroy();
    await stack.world.run();
    expect(stack.layer.pending).toHaveLength(0);
    budget.give(10_000_000);
    await stack.world.run();
    expect(stack.layer.pending).toHaveLength(1);
    await complete();
    expect(second.replies()).toHaveLength(1);
  });
});

test.for(["its client has closed its side", "the server is closed"])(
  "nobody waits for what half a write holds when its rest will not be taken any more: %s",
  async (why) => {
    budget = new MemoryBudget(4096);
    const other = connect();
    const client = stack.connect({ budget, receiveLength: 16_384 }).enter("disk");
    write(other, 0, 4096);
    client.request({ command: Command.cache, length: 4096 });
    const half = request({ command: Command.write, payload: pattern(16_384) }).subarray(0, 10_000);
    client.send(half);
    expect(budget.bytesTaken).toBe(4096 + 16_384);
    if (why === "the server is closed") client.connection.drain();
    else client.connection.ended();
    await complete();
    await complete();
    expect(client.replies()).toMatchObject([{ error: 0 }]);
    expect(client.transport.isEnded).toBe(true);
    expect(budget.bytesTaken).toBe(0);
  },
);

test("a connection that holds nothing gets a small request in, whatever the others hold", async () => {
  const [first, second] = [connect(), connect()];
  write(first, 0, 300_000);
  write(second, 524_288, 4096);
  write(second, 524_288, 4096);
  await stack.world.run();
  expect(stack.layer.pending).toHaveLength(2);
  while (stack.layer.pending.length > 0) await complete();
  expect(second.replies()).toHaveLength(2);
  expect(budget.bytesTaken).toBe(0);
});

test("where the system has no memory the request is refused, and the connection goes on", async () => {
  const client = connect();
  const { buffers } = stack.world.environment;
  const tryAcquire = buffers.tryAcquire.bind(buffers);
  buffers.tryAcquire = (length) => {
    if (length === 40_960 || length === 204_800) throw new RangeError("Array buffer allocation failed");
    return tryAcquire(length);
  };
  write(client, 0, 40_960);
  client.request({ command: Command.read, length: 40_960 });
  client.request({ command: Command.read, length: 204_800 });
  await stack.world.run();
  expect(client.replies().map(({ error }) => error)).toEqual([
    NbdErrno.ENOMEM,
    NbdErrno.ENOMEM,
    NbdErrno.ENOMEM,
  ]);
  buffers.tryAcquire = tryAcquire;
  write(client, 0, 40_960);
  await complete();
  expect(client.replies()).toMatchObject([{ error: 0 }]);
  expect(budget.bytesTaken).toBe(0);
});

test("of a read with holes that failed the error is told to whoever traces", async () => {
  const traces: RequestTrace[] = [];
  const client = stack.connect({ onRequest: (trace) => traces.push(trace) }).enter("disk");
  stack.faults.add({ fault: { kind: "error", code: "CEV_MEDIUM" } });
  client.request({ command: Command.read, length: 262_144 });
  await stack.world.run();
  expect(client.replies().at(-1)).toMatchObject({ error: NbdErrno.EIO });
  expect(traces).toMatchObject([{ command: "read", errno: NbdErrno.EIO }]);
});

test("where the system has no memory for its buffers a connection ends, and its neighbour does not notice", async () => {
  const { buffers } = stack.world.environment;
  const [client, neighbour] = [connect(), connect()];
  const tryAcquire = buffers.tryAcquire.bind(buffers);
  buffers.tryAcquire = (length) => {
    if (length > 65_536) throw new RangeError("Array buffer allocation failed");
    return tryAcquire(length);
  };
  write(client, 0, 400_000);
  await stack.world.run();
  expect(client.errorCode).toBe("CEV_NO_MEMORY");
  expect(client.settledCount).toBe(1);
  write(neighbour, 0, 4096);
  await complete();
  expect(neighbour.replies()).toMatchObject([{ error: 0 }]);
  neighbour.transport.destroy();
  for (const each of [client, neighbour]) for (const pool of each.pools) pool.close();
  expect(buffers.bytesLent).toBe(0);
});

test("where the common memory is used up, clients that have chosen nothing get no more for long options, nor for many", async () => {
  const { buffers } = stack.world.environment;
  const queries = Array.from({ length: 16 }, (_, index) => `base:${"x".repeat(2000)}${index}`);
  const long = option(OptionType.listMetaContext, encodeMetaRequest({ name: "disk", queries }));
  const many = Buffer.concat(Array.from({ length: 1000 }, () => option(OptionType.list)));
  for (const [bytesMax, type] of [
    [200_000, OptionReply.errorTooBig],
    [2_000_000, OptionReply.ack],
  ] as const) {
    const lent = buffers.bytesLent;
    const client = stack.connect({ bufferBudget: new MemoryBudget(bytesMax) });
    client.send(clientFlags());
    client.received();
    client.send(long);
    expect(client.received().readUInt32BE(12)).toBe(type);
    client.send(many);
    expect(buffers.bytesLent - lent < 200_000).toBe(bytesMax === 200_000);
    client.send(go("disk"));
    expect(client.connection.target?.name).toBe("disk");
    client.transport.destroy();
    for (const pool of client.pools) pool.close();
  }
});

describe("where not even an answer finds memory, the connection ends, and nothing is lost or lent for ever", () => {
  // So many extents of a status leave no room in the small buffer for one more answer.
  const COUNT = 2043;
  const status = ({ countMax }: StatusQuery): Promise<{ length: number; status: number }[]> =>
    Promise.resolve(
      Array.from({ length: Math.min(COUNT, countMax) }, (_, index) => ({ length: 512, status: index })),
    );
  const contexts = [
    {
      namespace: "x-test",
      list: () => ["x-test:it"],
      find: () => ({ name: "x-test:it", status }),
    },
  ];

  /** A client that has not taken its last answer, behind which the buffer is full. */
  async function clogged(): Promise<FakeClient> {
    stack.layer.completion = "later";
    const client = stack.connect({ budget, contexts });
    client.contexts = ["x-test:it"];
    client.enter("disk");
    client.transport.isReader = false;
    client.request({ command: Command.flush });
    await stack.world.run();
    client.request({ command: Command.blockStatus, length: STACK_SIZE });
    await stack.world.run();
    return client;
  }

  test.for<[string, RequestParts[], "later" | "atOnce"]>([
    ["of a status", [{ command: Command.blockStatus, length: STACK_SIZE }], "later"],
    ["of two statuses", [1, 2].map(() => ({ command: Command.blockStatus, length: STACK_SIZE })), "later"],
    ["of two cachings", [1, 2].map(() => ({ command: Command.cache, length: 4096 })), "later"],
    ["of a read with holes", [{ command: Command.read, length: 262_144 }], "later"],
    ["of several reads", [1, 2, 3].map(() => ({ command: Command.read, length: 512 })), "later"],
    ["of several long reads", [1, 2, 3].map(() => ({ command: Command.read, length: 30_000 })), "later"],
    [
      "of several writes, behind one that still fits",
      [1, 2, 3].map(() => ({ command: Command.write, payload: pattern(512) })),
      "later",
    ],
    [
      "of several reads that end at once",
      [1, 2, 3].map(() => ({ command: Command.read, length: 512 })),
      "atOnce",
    ],
    [
      "of several writes that end at once",
      [1, 2, 3].map(() => ({ command: Command.write, payload: pattern(512) })),
      "atOnce",
    ],
    ["of what is refused", [{ command: Command.read, offset: STACK_SIZE, length: 512 }], "later"],
  ])("%s", async ([, requests, completion]) => {
    const client = await clogged();
    stack.layer.completion = completion;
    for (const pool of client.pools)
      pool.acquire = () => {
        throw new CevError("CEV_NO_MEMORY", "the system has none");
      };
    client.send(Buffer.concat(requests.map((each, cookie) => request({ ...each, cookie }))));
    await stack.world.run();
    expect(client.errorCode).toBe("CEV_NO_MEMORY");
    expect(client.connection.inFlightCount).toBe(0);
    expect(client.settledCount).toBe(1);
    expect(budget.bytesTaken).toBe(0);
    for (const pool of client.pools) pool.close();
    expect(stack.world.environment.buffers.bytesLent).toBe(0);
  });
});
