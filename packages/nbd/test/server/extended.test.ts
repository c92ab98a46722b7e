import { Buffer } from "node:buffer";
import * as fc from "fast-check";
import { beforeEach, describe, expect, test } from "vitest";
import { ChunkType, Command, CommandFlag, HeaderStyle, NbdErrno } from "../../src/protocol/numbers.ts";
import type { FakeClient } from "../support/fake-client.ts";
import { request } from "../support/messages.ts";
import type { Reply, RequestParts } from "../support/messages.ts";
import { STACK_SIZE, makeStack, pattern } from "../support/stack.ts";
import type { Stack } from "../support/stack.ts";

const DISK = Buffer.from(pattern(STACK_SIZE));
const PAYLOAD = CommandFlag.payloadLength;

let stack: Stack;
let client: FakeClient;

beforeEach(async () => {
  stack = await makeStack();
  client = stack.connect();
  client.contexts = ["base:allocation", "x-cev:holder"];
  client.enter("disk", "extended");
});

async function replies(...requests: readonly RequestParts[]): Promise<Reply[]> {
  for (const each of requests) client.request(each);
  await stack.world.run();
  return client.replies();
}

async function reply(parts: RequestParts): Promise<Reply> {
  const all = await replies(parts);
  expect(all).toHaveLength(1);
  return all[0]!;
}

/** A payload that asks for statuses of some contexts. */
function ids(length: number, ...contexts: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 + 4 * contexts.length);
  bytes.writeBigUInt64BE(BigInt(length));
  for (const [index, id] of contexts.entries()) bytes.writeUInt32BE(id, 8 + 4 * index);
  return bytes;
}

describe("requests with extended headers", () => {
  test.for(["atOnce", "later"] as const)(
    "are answered by extended chunks that repeat the offset, %s",
    async (when) => {
      stack.layer.completion = when;
      for (let round = 0; round < 3; round++) {
        const all = await replies(
          { command: Command.read, cookie: 1, offset: 512, length: 4096 },
          { command: Command.read, cookie: 2, offset: 1024, length: 100_000 },
          {
            command: Command.write,
            cookie: 3,
            offset: 200_000,
            payload: pattern(600, round),
            flags: PAYLOAD,
          },
          { command: Command.flush, cookie: 4 },
          { command: Command.trim, cookie: 5, offset: 4096, length: 4096 * 2 },
          { command: Command.writeZeroes, cookie: 6, offset: 65_536, length: 512 },
          { command: Command.read, cookie: 7, offset: 3, length: 0 },
          { command: 77, cookie: 8, offset: 99, length: 1 },
        );
        const one = (cookie: number): Reply => all.find((each) => each.cookie === cookie)!;
        expect(all.every(({ kind, isDone }) => kind === "extended" && isDone)).toBe(true);
        const offsets = [512, 1024, 200_000, 0, 4096, 65_536, 3, 99];
        expect([1, 2, 3, 4, 5, 6, 7, 8].map((cookie) => one(cookie).requestOffset)).toEqual(offsets);
        expect([1, 2, 3, 4, 5, 6, 7, 8].map((cookie) => one(cookie).error)).toEqual([
          0, 0, 0, 0, 0, 0, 0, 22,
        ]);
        expect(one(3).type).toBe(ChunkType.none);
        expect(one(7).type).toBe(ChunkType.none);
        expect(one(1)).toMatchObject({ type: ChunkType.offsetData, offset: 512 });
        expect(one(2).data).toHaveLength(100_000);
        if (round === 0) expect(Buffer.compare(one(1).data, DISK.subarray(512, 4608))).toBe(0);
        const written = stack.layer.bytes.subarray(200_000, 200_600);
        expect(Buffer.compare(written, pattern(600, round))).toBe(0);
      }
    },
  );

  test("are checked against lengths of 64 bits", async () => {
    const long = 2 ** 40;
    const errors = await replies(
      { command: Command.trim, cookie: 1, length: long },
      { command: Command.writeZeroes, cookie: 2, length: long },
      { command: Command.read, cookie: 3, length: long },
      { command: Command.blockStatus, cookie: 4, length: long },
      { command: Command.trim, cookie: 5, length: STACK_SIZE },
    );
    const { EINVAL, ENOSPC } = NbdErrno;
    expect(errors.toSorted((a, b) => a.cookie - b.cookie).map(({ error }) => error)).toEqual([
      EINVAL,
      ENOSPC,
      EINVAL,
      EINVAL,
      0,
    ]);
  });

  test("that have a payload they may not have are refused, and the next is understood", async () => {
    const all = await replies(
      { command: Command.blockStatus, cookie: 1, offset: 5, flags: PAYLOAD, payload: pattern(4096) },
      { command: Command.read, cookie: 2, offset: 6, flags: PAYLOAD, payload: pattern(100) },
      { command: Command.flush, cookie: 3, flags: PAYLOAD, payload: pattern(50_000) },
      { command: Command.trim, cookie: 4, flags: PAYLOAD, length: 0 },
      { command: 99, cookie: 5, flags: PAYLOAD, payload: pattern(7) },
      { command: Command.read, cookie: 6, offset: 7, length: 512 },
    );
    expect(all.map(({ cookie, error }) => [cookie, error])).toEqual([
      [1, 22],
      [2, 22],
      [3, 22],
      [4, 22],
      [5, 22],
      [6, 0],
    ]);
    expect(all.map(({ requestOffset }) => requestOffset)).toEqual([5, 6, 0, 0, 0, 7]);
    expect(Buffer.compare(stack.layer.bytes, DISK)).toBe(0);
  });

  test("that write without saying that there is a payload are understood, as QEMU sends them", async () => {
    const payload = pattern(4096, 8);
    const all = await replies(
      { command: Command.write, cookie: 1, offset: 5, payload },
      { command: Command.read, cookie: 2, offset: 5, length: 4096 },
    );
    expect(all.map(({ error }) => error)).toEqual([0, 0]);
    expect(Buffer.compare(all[1]!.data, payload)).toBe(0);
  });

  test("that announce more than the longest payload end the connection", () => {
    client.request({ command: Command.write, flags: PAYLOAD, length: 33_554_433 });
    expect(client.errorCode).toBe("CEV_PROTOCOL");
  });

  test("of the compact form end the connection", () => {
    client.send(request({ command: Command.read, length: 512 }, HeaderStyle.structured), Buffer.alloc(4));
    expect(client.errorCode).toBe("CEV_PROTOCOL");
  });

  test("long writes are received in pieces", async () => {
    const payload = pattern(900_000, 9);
    expect(await reply({ command: Command.write, offset: 100, payload, flags: PAYLOAD })).toMatchObject({
      kind: "extended",
      error: 0,
      requestOffset: 100,
    });
    expect(Buffer.compare(stack.layer.bytes.subarray(100, 900_100), payload)).toBe(0);
  });

  test("arriving in pieces of any length are understood", async () => {
    const stream = Buffer.concat([
      request(
        { command: Command.write, cookie: 1, offset: 700, payload: pattern(3000, 4), flags: PAYLOAD },
        HeaderStyle.extended,
      ),
      request(
        { command: Command.blockStatus, cookie: 2, payload: ids(4096, 2), flags: PAYLOAD },
        HeaderStyle.extended,
      ),
      request(
        { command: Command.read, cookie: 3, flags: PAYLOAD, payload: pattern(10) },
        HeaderStyle.extended,
      ),
      request({ command: Command.read, cookie: 4, offset: 700, length: 3000 }, HeaderStyle.extended),
    ]);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1 }), async (lengths) => {
        const fresh = stack.connect();
        fresh.contexts = ["base:allocation", "x-cev:holder"];
        fresh.enter("disk", "extended");
        for (let at = 0, index = 0; at < stream.length; index++) {
          const length = lengths[index % lengths.length]!;
          fresh.send(stream.subarray(at, at + length));
          at += length;
        }
        await stack.world.run();
        const all = fresh.replies().toSorted((a, b) => a.cookie - b.cookie);
        expect(all.map(({ error }) => error)).toEqual([0, 0, 22, 0]);
        expect(all[1]!.status!.contextId).toBe(2);
        expect(Buffer.compare(all[3]!.data, pattern(3000, 4))).toBe(0);
      }),
      { numRuns: 15 },
    );
  });
});

describe("statuses with a payload", () => {
  test("are those of the contexts that it names, in the length that it tells", async () => {
    const flags = PAYLOAD;
    const both = await replies({
      command: Command.blockStatus,
      offset: 4096,
      payload: ids(8192, 2, 1),
      flags,
    });
    expect(both.map(({ status }) => status!.contextId)).toEqual([2, 1]);
    expect(both.map(({ isDone }) => isDone)).toEqual([false, true]);
    const one = await reply({ command: Command.blockStatus, offset: 4096, payload: ids(8192, 2), flags });
    expect(one).toMatchObject({ type: ChunkType.blockStatusExtended, requestOffset: 4096 });
    expect(one.status!.extents.reduce((sum, { length }) => sum + length, 0)).toBe(8192);
  });

  test.for([
    ["names one twice", ids(8192, 1, 1)],
    ["names one that is not there", ids(8192, 1, 9)],
    ["names too many", ids(8192, 1, 2, 1, 2, 1)],
    ["names none", ids(8192)],
    ["has half a name", ids(8192, 1).subarray(0, 10)],
    ["passes the end", ids(STACK_SIZE + 1, 1)],
    ["is about nothing", ids(0, 1)],
  ] as const)("are refused when it %s, and the next request is understood", async ([, payload]) => {
    const all = await replies(
      { command: Command.blockStatus, cookie: 1, payload, flags: PAYLOAD },
      { command: Command.flush, cookie: 2 },
    );
    expect(all.map(({ cookie, error }) => [cookie, error])).toEqual([
      [1, 22],
      [2, 0],
    ]);
  });

  test("are refused where no context was selected", async () => {
    client = stack.connect().enter("disk", "extended");
    const all = await replies(
      { command: Command.blockStatus, cookie: 1, payload: ids(8192, 1), flags: PAYLOAD },
      { command: Command.blockStatus, cookie: 2, length: 8192 },
      { command: Command.flush, cookie: 3 },
    );
    expect(all.map(({ cookie, error }) => [cookie, error])).toEqual([
      [1, 22],
      [2, 22],
      [3, 0],
    ]);
  });
});
