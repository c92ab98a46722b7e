import type { Io } from "@cev/core";
import fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { NbdServer } from "../../src/index.ts";
import { Export } from "../../src/server/exports/export.ts";
import { Command } from "../../src/protocol/numbers.ts";
import type { FakeClient, FakeClientOptions } from "../support/fake-client.ts";
import { endAll, makeStack, pattern } from "../support/stack.ts";
import type { Stack } from "../support/stack.ts";

const OLD = pattern(4096, 1);
const NEW = pattern(4096, 2);

let stack: Stack;
let orphaned: FakeClient;

/** A client that has gone while a write of it at 8192 is stuck in the device, whatever it is asked to do. */
beforeEach(async () => {
  stack = await makeStack({ cancel: "ignored" });
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

/** A client with a write at 8192 stuck in the device. */
function makeStuck(options: FakeClientOptions = {}): FakeClient {
  const client = stack.connect(options).enter("disk");
  const before = stack.layer.pending.length;
  client.request({ command: Command.write, offset: 8192, payload: OLD });
  expect(stack.layer.pending).toHaveLength(before + 1);
  return client;
}

describe("what was answered and flushed stays, when a client comes back", () => {
  beforeEach(async () => {
    await completeAll();
  });

  async function expectNewestStays(stuck: FakeClient, name = "disk"): Promise<void> {
    const back = stack.connect().enter(name);
    stack.layer.completion = "atOnce";
    back.request({ command: Command.write, cookie: 1, offset: 8192, payload: OLD });
    back.request({ command: Command.flush, cookie: 3 });
    await stack.world.run();
    expect(back.replies().map(({ cookie }) => cookie)).toEqual([3]);
    stack.layer.completeAll();
    await stack.world.run();
    expect(back.replies()).toMatchObject([{ cookie: 1, error: 0 }]);
    back.request({ command: Command.write, cookie: 2, offset: 8192, payload: NEW });
    back.request({ command: Command.flush, cookie: 3 });
    await stack.world.run();
    expect(back.replies()).toMatchObject([
      { cookie: 2, error: 0 },
      { cookie: 3, error: 0 },
    ]);
    await completeAll();
    expect(contents(8192)).toEqual(NEW);
    stuck.transport.destroy();
    await endAllOf(stuck, back);
  }

  test("while its first connection looks like one that only sends no more", async () => {
    const stuck = makeStuck();
    stuck.connection.ended();
    expect(stuck.closedCount).toBe(0);
    await expectNewestStays(stuck);
  });

  test("while nothing is read from its first connection, so that nobody knows that it is gone", async () => {
    const stuck = makeStuck({ requestsMax: 1 });
    stuck.request({ command: Command.write, offset: 65_536, payload: OLD });
    expect(stuck.transport.isReading).toBe(false);
    await expectNewestStays(stuck);
  });

  test("over another export of the same device", async () => {
    const { exports, device } = stack;
    exports.push(new Export({ name: "other", device }, undefined, exports[0]!.fence));
    const stuck = makeStuck();
    stuck.connection.ended();
    await expectNewestStays(stuck, "other");
  });
});

test("exports of one device share a fence, and those of others do not", async () => {
  const { environment } = stack.world;
  const second = await makeStack();
  const server = new NbdServer({
    environment,
    exports: [
      { name: "a", device: stack.device },
      { name: "b", device: stack.device },
      { name: "c", device: second.device },
    ],
  });
  const [a, b, c] = server.exports;
  expect(a!.fence).toBe(b!.fence);
  expect(c!.fence).not.toBe(a!.fence);
  await completeAll();
  await endAllOf(stack.connect());
});

test("nobody overtakes a write that waits: also when its connection has long been dead, it is not late", async () => {
  const dead = makeStuckBehind();
  const client = stack.connect().enter("disk");
  client.request({ command: Command.write, offset: 8192, payload: NEW });
  await stack.world.run();
  expect(stack.layer.pending).toHaveLength(1);
  await completeAll();
  expect(client.replies()).toMatchObject([{ error: 0 }]);
  expect(contents(8192)).toEqual(NEW);
  dead.transport.destroy();
  await endAllOf(dead, client);

  /** One whose only write waits for that of the first. */
  function makeStuckBehind(): FakeClient {
    const one = stack.connect().enter("disk");
    return one.request({ command: Command.write, offset: 8192, payload: pattern(4096, 3) });
  }
});

test("requests of one connection are not held back by one another", async () => {
  await completeAll();
  const client = makeStuck();
  client.request({ command: Command.write, offset: 8192, payload: NEW });
  client.request({ command: Command.trim, offset: 8192, length: 4096 });
  expect(stack.layer.pending).toHaveLength(3);
  await completeAll();
  await endAllOf(client);
});

test("what a lost connection has under way is asked to end", async () => {
  await completeAll();
  const honest = await makeStack({ completion: "byHand" });
  const client = honest.connect().enter("disk");
  client.request({ command: Command.write, offset: 8192, payload: OLD });
  client.request({ command: Command.read, offset: 8192, length: 4096 });
  client.request({ command: Command.trim, offset: 8192, length: 4096 });
  expect(honest.layer.pending).toHaveLength(3);
  await endAll(honest, client);
  expect(honest.layer.pending).toHaveLength(0);
  await endAllOf(stack.connect());
});

/** Of what the device has to do, no two requests of different clients overlap; each writes its own number. */
function expectApart(pending: readonly Io[]): void {
  const writerOf = ({ data, dataOffset }: Io): number => data[dataOffset]!;
  const clash = pending.some((a) =>
    pending.some(
      (b) => a.offset < b.offset + b.length && b.offset < a.offset + a.length && writerOf(a) !== writerOf(b),
    ),
  );
  expect(clash).toBe(false);
}

test("overlapping writes of any clients, with cuts and slow disks, are apart at the device, and all of them end", async () => {
  await completeAll();
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(9999), { minLength: 20, maxLength: 60 }), async (steps) => {
      const its = await makeStack({ cancel: "ignored", completion: "byHand", size: 65_536 });
      const all: FakeClient[] = [];
      const current = [0, 0, 0].map(connect);
      function connect(): number {
        return all.push(its.connect().enter("disk")) - 1;
      }
      async function completeOne(at: number): Promise<void> {
        its.layer.completeNext(at % its.layer.pending.length);
        await its.world.run();
        expectApart(its.layer.pending);
      }
      for (const step of steps) {
        const place = step % 3;
        const kind = Math.floor(step / 3) % 8;
        const id = current[place]!;
        if (kind === 0) {
          all[id]!.transport.destroy();
          current[place] = connect();
        } else if (kind < 3) {
          if (its.layer.pending.length > 0) await completeOne(step);
        } else {
          const offset = 4096 * (step % 5);
          all[id]!.request({ command: Command.write, offset, payload: new Uint8Array(8192).fill(id) });
        }
        expectApart(its.layer.pending);
      }
      while (its.layer.pending.length > 0) await completeOne(0);
      expect(all.map(({ connection }) => connection.inFlightCount)).toEqual(all.map(() => 0));
      expect(its.exports[0]!.fence.count).toBe(0);
      for (const client of all) {
        client.transport.destroy();
        for (const pool of client.pools) pool.close();
      }
      expect(its.world.environment.buffers.bytesLent).toBe(0);
    }),
    { numRuns: 20 },
  );
  await endAllOf(stack.connect());
});
