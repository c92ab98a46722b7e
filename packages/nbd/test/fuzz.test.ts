import { Buffer } from "node:buffer";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { ChunkType, Command, CommandFlag, HeaderStyle } from "../src/protocol/numbers.ts";
import { encodeMetaRequest } from "../src/protocol/option-meta.ts";
import type { FakeClient } from "./support/fake-client.ts";
import { clientFlags, go, infoData, option, request } from "./support/messages.ts";
import { STACK_SIZE, makeStack, pattern } from "./support/stack.ts";
import type { Stack } from "./support/stack.ts";

const RUNS = { numRuns: process.env["CEV_ALL_CASES"] === undefined ? 50 : 200 };

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
  fc.record({ type: fc.constantFrom(8, 11), data: fc.constant(new Uint8Array(0)) }),
  fc.record({
    type: fc.constantFrom(9, 10),
    data: fc
      .record({
        name: fc.constantFrom("", "disk", "nope"),
        queries: fc.array(fc.constantFrom("base:", "base:allocation", "x-cev:holder", "x-cev:", "a:b", "c")),
      })
      .map(encodeMetaRequest),
  }),
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

/** A disk with data, holes of many lengths, and data. */
function withHoles(): Uint8Array {
  const bytes = pattern(STACK_SIZE);
  for (let at = 40_960, length = 512; at < STACK_SIZE; at += 2 * length, length *= 2)
    bytes.fill(0, at, at + length);
  return bytes;
}

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
        form: fc.constantFrom(false, true, "extended" as const),
        hasContexts: fc.boolean(),
        hasHoles: fc.boolean(),
        isReader: fc.boolean(),
        requestsMax: fc.constantFrom(1, 3, 256),
        unsentMax: fc.constantFrom(1, 50_000, 1_000_000),
        receiveLength: fc.constantFrom(8192, 65_536, 524_288),
        sendLength: fc.constantFrom(65_536, 262_144),
      }),
      fc.integer(),
      async (requests, lengths, setting, seed) => {
        const { form, hasContexts, hasHoles } = setting;
        const stack = await makeStack({
          completion: setting.completion as "random",
          seed,
          ...(hasHoles ? { contents: withHoles() } : {}),
        });
        const neighbour = stack.connect().enter("disk");
        const client = stack.connect(setting);
        if (hasContexts) client.contexts = ["base:allocation", "x-cev:holder"];
        client.enter("disk", form);
        client.transport.isReader = setting.isReader;
        const style = form === "extended" ? HeaderStyle.extended : HeaderStyle.simple;
        const messages = requests.map(({ command, flags, offset, length }, cookie) => {
          const saysSo = form === "extended" && (flags & CommandFlag.payloadLength) !== 0;
          const hasPayload = command === Command.write || saysSo;
          const parts = { command, flags, offset, cookie: cookie + 1 };
          return request(
            { ...parts, ...(hasPayload ? { payload: pattern(length, cookie) } : { length }) },
            style,
          );
        });
        sendInPieces(client, Buffer.concat(messages), lengths);
        await stack.world.run();
        while (client.transport.drainOnce()) await stack.world.run();
        const lengthOf = (cookie: number): number => {
          const { command, length } = requests[cookie - 1]!;
          return command === Command.read ? length : 0;
        };
        const replies = client.replies(lengthOf);
        const last = replies.filter(({ isDone }) => isDone);
        expect(last.map(({ cookie }) => cookie).toSorted((a, b) => a - b)).toEqual(
          requests.map((_, index) => index + 1),
        );
        const covered = new Map<number, number>();
        for (const reply of replies) {
          const { command, offset, length } = requests[reply.cookie - 1]!;
          // A payload tells a length of its own.
          if (reply.error === 0 && command !== Command.flush && command !== Command.blockStatus)
            expect(offset + length).toBeLessThanOrEqual(STACK_SIZE);
          if (form === "extended") expect([reply.kind, reply.requestOffset]).toEqual(["extended", offset]);
          if (reply.type !== ChunkType.offsetData && reply.type !== ChunkType.offsetHole) continue;
          const part = reply.type === ChunkType.offsetData ? reply.data.length : reply.length;
          const before = covered.get(reply.cookie) ?? 0;
          expect(reply.offset).toBe(offset + before);
          covered.set(reply.cookie, before + part);
          if (reply.isDone) expect(before + part).toBe(length);
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
      fc.boolean(),
      fc.integer(),
      async (requests, changes, keep, lengths, ending, isExtended, seed) => {
        const stack = await makeStack({ completion: "random", seed });
        const neighbour = stack.connect().enter("disk");
        // The neighbour's part of the disk is not to be hit by chance: this client may not write.
        const client = stack.connect();
        client.contexts = ["base:allocation"];
        client.enter("frozen", isExtended ? "extended" : true);
        const whole = Buffer.concat(
          requests.map(({ command, flags, offset, length }, cookie) =>
            request(
              {
                command,
                flags,
                offset,
                cookie,
                ...(command === Command.write ? { payload: pattern(length) } : { length }),
              },
              isExtended ? HeaderStyle.extended : HeaderStyle.simple,
            ),
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
