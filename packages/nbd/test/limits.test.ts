import { Buffer } from "node:buffer";
import { beforeEach, describe, expect, test } from "vitest";
import { Command } from "../src/protocol/numbers.ts";
import { request } from "./support/messages.ts";
import { STACK_SIZE, endAll, makeStack, pattern } from "./support/stack.ts";
import type { Stack } from "./support/stack.ts";

const DISK = Buffer.from(pattern(STACK_SIZE));

let stack: Stack;
beforeEach(async () => {
  stack = await makeStack();
});

const completions = ["atOnce", "later"] as const;

describe("many requests", () => {
  test("answers leave in the order in which requests end, and none waits for another", async () => {
    const client = stack.connect().enter("disk");
    stack.layer.completion = "byHand";
    for (let cookie = 1; cookie <= 6; cookie++)
      client.request({ command: Command.read, cookie, offset: cookie * 4096, length: 4096 });
    expect(stack.layer.pending).toHaveLength(6);
    for (const index of [3, 0, 3]) stack.layer.completeNext(index);
    await stack.world.run();
    const replies = client.replies();
    expect(replies.map(({ cookie }) => cookie)).toEqual([4, 1, 6]);
    for (const { cookie, data } of replies)
      expect(Buffer.compare(data, DISK.subarray(cookie * 4096, cookie * 4096 + 4096))).toBe(0);
    stack.layer.completeAll();
    await stack.world.run();
    expect(client.replies().map(({ cookie }) => cookie)).toEqual([2, 3, 5]);
  });

  test("all requests of a received chunk are answered in one write", () => {
    const client = stack.connect().enter("disk");
    const before = client.transport.writeCount;
    client.send(
      Buffer.concat(
        Array.from({ length: 30 }, (_, cookie) => request({ command: Command.read, cookie, length: 4096 })),
      ),
    );
    expect(client.replies()).toHaveLength(30);
    expect(client.transport.writeCount).toBe(before + 1);
  });

  test("answers of one turn leave in one write", async () => {
    const client = stack.connect().enter("disk");
    stack.layer.completion = "byHand";
    for (let cookie = 1; cookie <= 20; cookie++)
      client.request({ command: Command.read, cookie, length: 20_000 });
    const before = client.transport.writeCount;
    stack.layer.completeAll();
    await stack.world.run();
    expect(client.replies()).toHaveLength(20);
    expect(client.transport.writeCount).toBe(before + 1);
  });

  test("a device that answers late after it answered at once does not spoil anything", async () => {
    const client = stack.connect().enter("disk");
    const bytes = Buffer.from(DISK);
    for (let round = 0; round < 20; round++) {
      stack.layer.completion = round % 3 === 0 ? "byHand" : "atOnce";
      const messages: Buffer[] = [];
      for (let cookie = 0; cookie < 40; cookie++) {
        const offset = cookie * 8192;
        const payload = pattern(4096, round * 40 + cookie);
        bytes.set(payload, offset);
        messages.push(request({ command: Command.write, cookie, offset, payload }));
        messages.push(
          request({ command: Command.read, cookie: 100 + cookie, offset: 524_288 + offset, length: 4096 }),
        );
      }
      client.send(Buffer.concat(messages));
      while (stack.layer.pending.length > 0) {
        stack.layer.completeAll();
        await stack.world.run();
      }
      const replies = client.replies();
      expect(replies).toHaveLength(80);
      for (const { cookie, data, error } of replies) {
        expect(error).toBe(0);
        if (cookie < 100) continue;
        const offset = 524_288 + (cookie - 100) * 8192;
        expect(Buffer.compare(data, bytes.subarray(offset, offset + 4096))).toBe(0);
      }
    }
    expect(Buffer.compare(stack.layer.bytes, bytes)).toBe(0);
    await endAll(stack, client);
  });

  test("requests under way are limited, and go on as others end", async () => {
    const client = stack.connect({ requestsMax: 4 }).enter("disk");
    stack.layer.completion = "byHand";
    for (let cookie = 0; cookie < 20; cookie++)
      client.request({ command: Command.read, cookie, length: 512 });
    expect(stack.layer.pending).toHaveLength(4);
    expect(client.transport.isReading).toBe(false);
    for (let count = 0; count < 20; count++) {
      stack.layer.completeNext();
      await stack.world.run();
      expect(stack.layer.pending.length).toBeLessThanOrEqual(4);
    }
    expect(client.replies().map(({ cookie }) => cookie)).toEqual([...Array(20).keys()]);
    expect(client.transport.isReading).toBe(true);
  });

  test("bytes under way are limited, but one request of any size is let in", async () => {
    const client = stack.connect({ bytesMax: 65_536 }).enter("disk");
    stack.layer.completion = "byHand";
    for (let cookie = 0; cookie < 6; cookie++)
      client.request({ command: Command.read, cookie, length: 499_712 });
    // The first asks for holes, and finds that there are none.
    await stack.world.run();
    for (let cookie = 0; cookie < 6; cookie++) {
      expect(stack.layer.pending).toHaveLength(1);
      stack.layer.completeAll();
      await stack.world.run();
    }
    expect(client.replies()).toHaveLength(6);
  });

  test.for(completions)(
    "a slow reader is not read from, and gets everything in the end (%s)",
    async (completion) => {
      stack.layer.completion = completion;
      const client = stack.connect({ unsentMax: 100_000 }).enter("disk");
      client.transport.isReader = false;
      for (let cookie = 0; cookie < 400; cookie++)
        client.request({ command: Command.read, cookie, offset: cookie * 512, length: 40_960 });
      await stack.world.run();
      expect(client.transport.isReading).toBe(false);
      // What is lent does not depend on how much was asked for.
      expect(stack.world.environment.buffers.bytesLent).toBeLessThan(20_000_000);
      expect(stack.layer.log.length).toBeLessThan(400);
      while (client.transport.drainOnce()) await stack.world.run();
      const replies = client.replies();
      expect(replies).toHaveLength(400);
      for (const { cookie, data } of replies)
        expect(Buffer.compare(data, DISK.subarray(cookie * 512, cookie * 512 + 40_960))).toBe(0);
      expect(client.transport.isReading).toBe(true);
    },
  );

  test("a limit that a single answer reaches does not stop the connection", async () => {
    const client = stack.connect({ unsentMax: 1, requestsMax: 1 }).enter("disk");
    const beyond = request({ command: Command.read, cookie: 1, offset: STACK_SIZE, length: 512 });
    client.send(Buffer.concat([beyond, request({ command: Command.read, cookie: 2, length: 512 })]));
    await stack.world.run();
    expect(client.replies().map(({ cookie }) => cookie)).toEqual([1, 2]);
  });

  test("without memory in the pool requests wait until there is some", async () => {
    const client = stack.connect().enter("disk");
    stack.layer.completion = "later";
    const { buffers } = stack.world.environment;
    const taken = buffers.acquire(8192);
    Object.assign(buffers, { bytesMax: buffers.bytesLent });
    client.request({ command: Command.read, cookie: 9, length: 4096 });
    await stack.world.run();
    expect(client.replies()).toHaveLength(0);
    expect(client.transport.isReading).toBe(false);
    buffers.release(taken);
    await stack.world.run();
    expect(client.replies()[0]).toMatchObject({ cookie: 9, error: 0 });
    expect(client.transport.isReading).toBe(true);
  });
});
