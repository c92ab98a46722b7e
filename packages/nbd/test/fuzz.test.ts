import { Buffer } from "node:buffer";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ChunkType, Command } from "../src/protocol/numbers.ts";
import type { FakeClient } from "./support/fake-client.ts";
import { clientFlags, go, infoData, option, request } from "./support/messages.ts";
import { STACK_SIZE, makeStack, pattern } from "./support/stack.ts";
import type { Stack } from "./support/stack.ts";

const RUNS = { numRuns: 150 };

/** A good client beside the bad one: it has to be served as if it were alone. */
async function expectNeighbourUnharmed(stack: Stack, neighbour: FakeClient): Promise<void> {
  const payload = pattern(4096, 201);
  neighbour.request({ command: Command.write, cookie: 1, offset: 1_000_000, payload });
  await stack.world.run();
  neighbour.request({ command: Command.read, cookie: 2, offset: 1_000_000, length: 4096 });
  await stack.world.run();
  const replies = neighbour.replies();
  expect(replies.map(({ cookie, error }) => [cookie, error])).toEqual([
    [1, 0],
    [2, 0],
  ]);
  expect(Buffer.compare(replies[1]!.data, payload)).toBe(0);
}

/** Ends the connection whatever state it is in, and shows that nothing of it is left. */
async function expectNothingLeft(stack: Stack, clients: readonly FakeClient[]): Promise<void> {
  for (const client of clients) client.transport.destroy();
  await stack.world.run();
  for (const client of clients) {
    expect([client.closedCount, client.settledCount]).toEqual([1, 1]);
    for (const pool of client.pools) pool.close();
  }
  expect(stack.world.environment.buffers.bytesLent).toBe(0);
}

const chunking = fc.array(fc.oneof(fc.integer({ min: 1, max: 5000 }), fc.integer({ min: 1, max: 400_000 })), {
  minLength: 1,
  maxLength: 8,
});

/** Sends bytes in pieces of these lengths, over and over. */
function sendInPieces(client: FakeClient, bytes: Buffer, lengths: readonly number[]): void {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length]!;
    client.send(bytes.subarray(at, at + length));
    at += length;
  }
}

const anOption = fc.oneof(
  fc.record({ type: fc.integer({ min: 0, max: 14 }), data: fc.uint8Array({ maxLength: 60 }) }),
  fc.record({
    type: fc.constantFrom(6, 7),
    data: fc.constantFrom("", "disk", "nope").map((name) => infoData(name, [1, 3])),
  }),
  fc.record({ type: fc.constantFrom(3, 8, 99), data: fc.constant(new Uint8Array(20_000)) }),
);

const aRequest = fc.record({
  command: fc.integer({ min: 0, max: 9 }).filter((command) => command !== Command.disconnect),
  flags: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, fc.integer({ min: 0, max: 0xffff })),
  offset: fc.oneof(fc.integer({ min: 0, max: STACK_SIZE }), fc.maxSafeNat()),
  length: fc.oneof(
    fc.integer({ min: 0, max: 40_000 }),
    fc.constantFrom(STACK_SIZE, STACK_SIZE + 1, 70_000, 300_000, 600_000),
  ),
});

const mutations = fc.array(fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) }), {
  maxLength: 4,
});

/** The same bytes with a few of them changed, and cut off somewhere. */
function mutate(bytes: Buffer, changes: readonly { at: number; byte: number }[], keep: number): Buffer {
  const result = Buffer.from(bytes);
  for (const { at, byte } of changes) result[at % result.length] = byte;
  return result.subarray(0, Math.ceil(result.length * keep));
}

test("no handshake, however wrong, harms the server or a neighbour", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anOption, { maxLength: 12 }),
      mutations,
      fc.double({ min: 0.3, max: 1, noNaN: true }),
      chunking,
      fc.boolean(),
      async (options, changes, keep, lengths, isReader) => {
        const stack = await makeStack();
        const neighbour = stack.connect().enter("disk");
        const client = stack.connect({ handshakeTimeoutMs: 1000 });
        client.transport.isReader = isReader;
        const whole = Buffer.concat([clientFlags(), ...options.map(({ type, data }) => option(type, data))]);
        sendInPieces(client, mutate(whole, changes, keep), lengths);
        while (client.transport.drainOnce()) await Promise.resolve();
        await expectNeighbourUnharmed(stack, neighbour);
        await expectNothingLeft(stack, [client, neighbour]);
      },
    ),
    RUNS,
  );
});

test("every request is answered once, or the connection ends, whatever it is and however it comes", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(aRequest, { minLength: 1, maxLength: 25 }),
      chunking,
      fc.record({
        completion: fc.constantFrom("atOnce", "later", "random"),
        isStructured: fc.boolean(),
        isReader: fc.boolean(),
        requestsMax: fc.constantFrom(1, 3, 256),
        unsentMax: fc.constantFrom(1, 50_000, 1_000_000),
        receiveLength: fc.constantFrom(8192, 65_536, 524_288),
        sendLength: fc.constantFrom(65_536, 262_144),
      }),
      fc.integer(),
      async (requests, lengths, setting, seed) => {
        const stack = await makeStack({ completion: setting.completion as "random", seed });
        const neighbour = stack.connect().enter("disk");
        const client = stack.connect(setting).enter("disk", setting.isStructured);
        client.transport.isReader = setting.isReader;
        const messages = requests.map(({ command, flags, offset, length }, cookie) => {
          const hasPayload = command === Command.write;
          return request({
            command,
            flags,
            offset,
            cookie: cookie + 1,
            ...(hasPayload ? { payload: pattern(length, cookie) } : { length }),
          });
        });
        sendInPieces(client, Buffer.concat(messages), lengths);
        await stack.world.run();
        while (client.transport.drainOnce()) await stack.world.run();
        const lengthOf = (cookie: number): number => {
          const { command, length } = requests[cookie - 1]!;
          return command === Command.read ? length : 0;
        };
        const replies = client.replies(lengthOf);
        expect(replies.map(({ cookie }) => cookie).toSorted((a, b) => a - b)).toEqual(
          requests.map((_, index) => index + 1),
        );
        for (const reply of replies) {
          expect(reply.isDone).toBe(true);
          const { command, offset, length } = requests[reply.cookie - 1]!;
          if (reply.error === 0 && command !== Command.flush)
            expect(offset + length).toBeLessThanOrEqual(STACK_SIZE);
          if (reply.type === ChunkType.offsetData)
            expect([reply.offset, reply.data.length]).toEqual([offset, length]);
        }
        await expectNeighbourUnharmed(stack, neighbour);
        await expectNothingLeft(stack, [client, neighbour]);
      },
    ),
    RUNS,
  );
});

test("a stream of requests that is changed or cut off anywhere harms nobody else", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(aRequest, { minLength: 1, maxLength: 15 }),
      mutations,
      fc.double({ min: 0.05, max: 1, noNaN: true }),
      chunking,
      fc.constantFrom("destroyed", "ended", "drained"),
      fc.integer(),
      async (requests, changes, keep, lengths, ending, seed) => {
        const stack = await makeStack({ completion: "random", seed });
        const neighbour = stack.connect().enter("disk");
        // The neighbour's part of the disk is not to be hit by chance: this client may not write.
        const client = stack.connect().enter("frozen");
        const whole = Buffer.concat(
          requests.map(({ command, flags, offset, length }, cookie) =>
            request({
              command,
              flags,
              offset,
              cookie,
              ...(command === Command.write ? { payload: pattern(length) } : { length }),
            }),
          ),
        );
        sendInPieces(client, mutate(whole, changes, keep), lengths);
        if (ending === "ended") client.connection.ended();
        if (ending === "drained") client.connection.drain();
        await expectNeighbourUnharmed(stack, neighbour);
        if (ending !== "destroyed")
          expect(client.transport.isEnded || client.transport.isDestroyed).toBe(true);
        await expectNothingLeft(stack, [client, neighbour]);
      },
    ),
    RUNS,
  );
});

test("requests on both sides of go, cut anywhere, are understood", async () => {
  const bytes = Buffer.concat([
    clientFlags(),
    option(8),
    go("disk", [3]),
    request({ command: Command.write, cookie: 1, offset: 512, payload: pattern(700, 4) }),
    request({ command: Command.read, cookie: 2, offset: 512, length: 700 }),
  ]);
  for (let at = 1; at < bytes.length; at += 13) {
    const stack = await makeStack();
    const client = stack.connect();
    client.send(bytes.subarray(0, at), bytes.subarray(at));
    const received = client.received();
    expect(Buffer.compare(received.subarray(-700), pattern(700, 4)), `cut at ${at}`).toBe(0);
  }
});
