import { Buffer } from "node:buffer";
import { IoFlag, Op } from "@cev/core";
import type { ErrorCode } from "@cev/core";
import { beforeEach, describe, expect, test } from "vitest";
import { ChunkType, Command, CommandFlag, NbdErrno } from "../src/protocol.ts";
import type { FakeClient } from "./support/fake-client.ts";
import { request } from "./support/messages.ts";
import { STACK_SIZE, makeStack, pattern } from "./support/stack.ts";
import type { Stack } from "./support/stack.ts";

const DISK = Buffer.from(pattern(STACK_SIZE));

let stack: Stack;
beforeEach(async () => {
  stack = await makeStack();
});

const completions = ["atOnce", "later"] as const;
const forms = [
  { isStructured: true, form: "structured" },
  { isStructured: false, form: "simple" },
] as const;
const cases = completions.flatMap((completion) => forms.map((each) => ({ ...each, completion })));

describe.for(cases)("$form replies, a device that completes $completion", ({ isStructured, completion }) => {
  let client: FakeClient;
  beforeEach(() => {
    stack.layer.completion = completion;
    client = stack.connect().enter("disk", isStructured);
  });

  /** One request, and the one reply to it. */
  async function exchange(
    parts: Parameters<FakeClient["request"]>[0],
  ): Promise<ReturnType<FakeClient["replies"]>[number]> {
    client.request({ cookie: 5, ...parts });
    await stack.world.run();
    const isRead = parts.command === Command.read;
    const replies = client.replies(() => (isRead ? (parts.length ?? 0) : 0));
    expect(replies).toHaveLength(1);
    expect(replies[0]).toMatchObject({ cookie: 5, isDone: true });
    return replies[0]!;
  }

  test.for([1, 512, 4096, 16_384, 16_385, 300_000, 1_000_000])("reads %s bytes", async (length) => {
    // More than once: what completes at once is read in place from the second time on.
    for (let count = 0; count < 3; count++) {
      const reply = await exchange({ command: Command.read, offset: 4099, length });
      expect(reply.error).toBe(0);
      expect(Buffer.compare(reply.data, DISK.subarray(4099, 4099 + length))).toBe(0);
      if (isStructured) expect(reply).toMatchObject({ type: ChunkType.offsetData, offset: 4099 });
    }
  });

  test("a read of nothing succeeds and has no data", async () => {
    const reply = await exchange({ command: Command.read, offset: 5, length: 0 });
    expect(reply).toMatchObject({ error: 0, type: isStructured ? ChunkType.none : -1 });
    expect(reply.data).toHaveLength(0);
  });

  test.for([1, 512, 4096, 100_000, 520_000, 900_000])("writes %s bytes", async (length) => {
    for (let count = 0; count < 3; count++) {
      const payload = pattern(length, 77 + count);
      expect((await exchange({ command: Command.write, offset: 8192, payload })).error).toBe(0);
      expect(Buffer.compare(stack.layer.bytes.subarray(8192, 8192 + length), payload)).toBe(0);
    }
    expect(Buffer.compare(stack.layer.bytes.subarray(0, 8192), DISK.subarray(0, 8192))).toBe(0);
  });

  test("a write of nothing succeeds", async () => {
    expect((await exchange({ command: Command.write, offset: 8192 })).error).toBe(0);
  });

  test("FUA reaches the device with writes, zeroes and trims", async () => {
    const flags = CommandFlag.fua;
    await exchange({ command: Command.write, payload: pattern(512), flags });
    await exchange({ command: Command.writeZeroes, length: 512, flags });
    await exchange({ command: Command.trim, length: 512, flags });
    expect(stack.layer.log.map(({ flags: seen }) => seen)).toEqual([IoFlag.fua, IoFlag.fua, IoFlag.fua]);
  });

  test("FUA on what does not write is accepted", async () => {
    const flags = CommandFlag.fua;
    expect((await exchange({ command: Command.read, length: 512, flags })).error).toBe(0);
    expect((await exchange({ command: Command.flush, flags })).error).toBe(0);
    expect((await exchange({ command: Command.cache, length: 512, flags })).error).toBe(0);
  });

  test("flush, trim, cache and zeroes reach the device as what they are", async () => {
    await exchange({ command: Command.flush });
    await exchange({ command: Command.trim, offset: 4096, length: 8192 });
    await exchange({ command: Command.cache, offset: 4096, length: 8192 });
    await exchange({ command: Command.writeZeroes, offset: 512, length: 1024 });
    await exchange({ command: Command.writeZeroes, offset: 512, length: 1024, flags: CommandFlag.noHole });
    await exchange({ command: Command.writeZeroes, offset: 512, length: 1024, flags: CommandFlag.fastZero });
    expect(stack.layer.log.map(({ op, flags }) => [op, flags])).toEqual([
      [Op.flush, 0],
      [Op.discard, 0],
      [Op.read, 0],
      [Op.writeZeroes, 0],
      [Op.writeZeroes, IoFlag.noHole],
      [Op.writeZeroes, IoFlag.fastZero],
    ]);
    expect(stack.layer.bytes.subarray(512, 1536).every((byte) => byte === 0)).toBe(true);
  });

  test("zeroes of any length are done, longer than any payload too", async () => {
    const small = stack.connect({ payloadLengthMax: 4096 }).enter("disk", isStructured);
    small.request({ command: Command.writeZeroes, length: STACK_SIZE });
    await stack.world.run();
    expect(small.replies()[0]!.error).toBe(0);
    expect(stack.layer.bytes.every((byte) => byte === 0)).toBe(true);
  });

  test("what passes the end gets its error, its payload is consumed, and the connection goes on", async () => {
    const beyond = { offset: STACK_SIZE - 512, length: 1024 };
    const errno = async (command: number, more: object = {}): Promise<number> =>
      (await exchange({ command, ...beyond, ...more })).error;
    expect(await errno(Command.read)).toBe(NbdErrno.EINVAL);
    expect(await errno(Command.cache)).toBe(NbdErrno.EINVAL);
    expect(await errno(Command.trim)).toBe(NbdErrno.EINVAL);
    expect(await errno(Command.write, { payload: pattern(1024) })).toBe(NbdErrno.ENOSPC);
    expect(await errno(Command.writeZeroes)).toBe(NbdErrno.ENOSPC);
    for (const offset of [STACK_SIZE, 2 ** 40, 2 ** 52, Number.MAX_SAFE_INTEGER]) {
      expect(await errno(Command.read, { offset })).toBe(NbdErrno.EINVAL);
      expect(await errno(Command.write, { offset, payload: pattern(1024) })).toBe(NbdErrno.ENOSPC);
    }
    expect((await exchange({ command: Command.read, length: 512 })).error).toBe(0);
    expect(Buffer.compare(stack.layer.bytes, DISK)).toBe(0);
  });

  test("an offset of all ones is beyond the end", async () => {
    const message = request({ command: Command.read, cookie: 5, length: 512 });
    message.fill(0xff, 16, 24);
    client.send(message);
    await stack.world.run();
    expect(client.replies()[0]).toMatchObject({ error: NbdErrno.EINVAL });
  });

  test("unknown commands, and flags where they do not belong, are invalid", async () => {
    const { read, write, trim, flush, cache, writeZeroes, blockStatus } = Command;
    const invalid = [
      { command: 99 },
      { command: 8, length: 512 },
      { command: blockStatus, length: 512 },
      { command: read, length: 512, flags: CommandFlag.noHole },
      { command: read, length: 512, flags: 0x8000 },
      { command: write, payload: pattern(512), flags: CommandFlag.df },
      { command: trim, length: 512, flags: CommandFlag.fastZero },
      { command: cache, length: 512, flags: CommandFlag.reqOne },
      { command: writeZeroes, length: 512, flags: CommandFlag.df },
      { command: flush, length: 512 },
      { command: flush, offset: 512 },
    ];
    for (const parts of invalid)
      expect((await exchange(parts)).error, JSON.stringify(parts)).toBe(NbdErrno.EINVAL);
    expect(stack.layer.log).toEqual([]);
  });

  test("fragments may be ruled out where replies are structured, and only there", async () => {
    const reply = await exchange({ command: Command.read, length: 65_536, flags: CommandFlag.df });
    expect(reply.error).toBe(isStructured ? 0 : NbdErrno.EINVAL);
  });

  test("whatever writes to a read-only export is not permitted", async () => {
    client = stack.connect().enter("frozen", isStructured);
    expect((await exchange({ command: Command.write, payload: pattern(70_000) })).error).toBe(NbdErrno.EPERM);
    expect((await exchange({ command: Command.trim, length: 512 })).error).toBe(NbdErrno.EPERM);
    expect((await exchange({ command: Command.writeZeroes, length: 512 })).error).toBe(NbdErrno.EPERM);
    expect((await exchange({ command: Command.read, length: 512 })).error).toBe(0);
    expect((await exchange({ command: Command.flush })).error).toBe(0);
    expect(Buffer.compare(stack.layer.bytes, DISK)).toBe(0);
  });

  test("disconnect closes without an answer, when all before it is answered", async () => {
    client.send(
      request({ command: Command.read, cookie: 1, length: 512 }),
      request({ command: Command.disconnect }),
      request({ command: Command.read, cookie: 2, length: 512 }),
    );
    await stack.world.run();
    expect(client.replies(() => 512).map(({ cookie }) => cookie)).toEqual([1]);
    expect(client.transport.isEnded).toBe(true);
    expect(client.errors).toEqual([null]);
  });

  test("a request without its magic number ends the connection", async () => {
    client.send(Buffer.alloc(28, 0x55));
    await stack.world.run();
    expect(client.errorCode).toBe("CEV_PROTOCOL");
    expect(client.settledCount).toBe(1);
  });
});

describe("errors of the device", () => {
  const errors: readonly [ErrorCode, NbdErrno][] = [
    ["CEV_IO", NbdErrno.EIO],
    ["CEV_MEDIUM", NbdErrno.EIO],
    ["CEV_DEVICE_LOST", NbdErrno.EIO],
    ["CEV_NO_SPACE", NbdErrno.ENOSPC],
    ["CEV_READ_ONLY", NbdErrno.EPERM],
    ["CEV_NO_MEMORY", NbdErrno.ENOMEM],
    ["CEV_NOT_SUPPORTED", NbdErrno.EINVAL],
    ["CEV_CLOSED", NbdErrno.ESHUTDOWN],
  ];

  test.for(errors)("%s is told as %s, with its code where replies are structured", async ([code, errno]) => {
    for (const isStructured of [true, false]) {
      const client = stack.connect().enter("disk", isStructured);
      // Before and after the server has found out that the device completes at once.
      for (let round = 0; round < 2; round++) {
        stack.faults.add({ fault: { kind: "error", code }, countMax: 4 });
        client
          .request({ command: Command.read, cookie: 1, length: 4096 })
          .request({ command: Command.read, cookie: 2, length: 65_536 })
          .request({ command: Command.write, cookie: 3, payload: pattern(4096) })
          .request({ command: Command.trim, cookie: 4, length: 4096 })
          .request({ command: Command.read, cookie: 5, offset: 512, length: 4096 });
        await stack.world.run();
        const replies = client.replies((cookie) => (cookie === 5 ? 4096 : 0));
        expect(replies.map(({ error }) => error)).toEqual([errno, errno, errno, errno, 0]);
        if (isStructured) expect(replies[2]!.message).toContain(code);
        expect(Buffer.compare(replies[4]!.data, DISK.subarray(512, 4608))).toBe(0);
      }
    }
  });

  test("zeroes that were to be fast are not supported where the device is slow", async () => {
    const slow = await makeStack({ support: { writeZeroes: "none" } });
    const client = slow.connect().enter("disk");
    client.request({ command: Command.writeZeroes, cookie: 1, length: 4096, flags: CommandFlag.fastZero });
    client.request({ command: Command.writeZeroes, cookie: 2, length: 4096 });
    await slow.world.run();
    expect(client.replies().map(({ error }) => error)).toEqual([NbdErrno.ENOTSUP, 0]);
  });

  test("zeroes of parts of blocks are not fast", async () => {
    const client = stack.connect().enter("disk");
    client.request({ command: Command.writeZeroes, offset: 100, length: 4096, flags: CommandFlag.fastZero });
    await stack.world.run();
    expect(client.replies()[0]!.error).toBe(NbdErrno.ENOTSUP);
    expect(Buffer.compare(stack.layer.bytes, DISK)).toBe(0);
  });

  test("what the device does not support was not offered, and is invalid", async () => {
    const poor = await makeStack({ support: { discard: "none", fua: "none", flush: "none" } });
    const client = poor.connect().enter("disk");
    client.request({ command: Command.trim, length: 512 });
    client.request({ command: Command.flush });
    client.request({ command: Command.write, payload: pattern(512), flags: CommandFlag.fua });
    await poor.world.run();
    expect(client.replies().map(({ error }) => error)).toEqual([22, 22, 22]);
    expect(Buffer.compare(poor.layer.bytes, DISK)).toBe(0);
  });

  test("a block size that was set is enforced", async () => {
    const coarse = await makeStack({ device: { blockSize: 512 } });
    const client = coarse.connect().enter("disk");
    client.request({ command: Command.read, offset: 1, length: 512 });
    client.request({ command: Command.write, payload: pattern(100) });
    client.request({ command: Command.trim, offset: 512, length: 513 });
    client.request({ command: Command.read, offset: 512, length: 512 });
    await coarse.world.run();
    expect(client.replies().map(({ error }) => error)).toEqual([22, 22, 22, 0]);
  });
});

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
    await endAll(client);
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

describe("endings", () => {
  test.for([29, 28 + 4095, 28 + 65_000])(
    "a client that vanishes after %s bytes of a write has written nothing",
    async (length) => {
      for (const how of ["destroyed", "closed its side"]) {
        const client = stack.connect().enter("disk");
        client.send(
          request({ command: Command.write, offset: 4096, payload: pattern(65_536, 9) }).subarray(0, length),
        );
        if (how === "destroyed") client.transport.destroy();
        else client.connection.ended();
        await stack.world.run();
        expect(client.closedCount + (client.transport.isEnded ? 1 : 0)).toBeGreaterThan(0);
      }
      expect(Buffer.compare(stack.layer.bytes, DISK)).toBe(0);
      expect(stack.layer.log).toEqual([]);
    },
  );

  test("a write too long for the receive buffer is not begun before all of it is there", async () => {
    const client = stack.connect({ receiveLength: 16_384 }).enter("disk");
    const message = request({ command: Command.write, offset: 4096, payload: pattern(100_000, 9) });
    client.send(message.subarray(0, -1));
    await stack.world.run();
    expect(stack.layer.log).toEqual([]);
    client.connection.ended();
    await stack.world.run();
    expect(client.transport.isEnded).toBe(true);
    expect(stack.layer.log).toEqual([]);
    await endAll(client);
  });

  test("a write too long for the receive buffer arrives whole also when it begins while nothing was read", async () => {
    const client = stack.connect({ receiveLength: 16_384, requestsMax: 1 }).enter("disk");
    stack.layer.completion = "byHand";
    const payload = pattern(102_400, 9);
    const write = request({ command: Command.write, cookie: 2, offset: 4096, payload });
    client.send(Buffer.concat([request({ command: Command.read, length: 512 }), write.subarray(0, 5000)]));
    expect(client.transport.isReading).toBe(false);
    client.send(write.subarray(5000));
    stack.layer.completeAll();
    await stack.world.run();
    stack.layer.completeAll();
    await stack.world.run();
    expect(client.replies().map(({ cookie }) => cookie)).toEqual([1, 2]);
    expect(Buffer.compare(stack.layer.bytes.subarray(4096, 106_496), payload)).toBe(0);
    await endAll(client);
  });

  test("what still comes after the end of a connection gets into nobody's memory", async () => {
    const { buffers } = stack.world.environment;
    const client = stack.connect({ receiveLength: 16_384 }).enter("disk");
    client.send(
      request({ command: Command.write, offset: 4096, payload: pattern(102_400) }).subarray(0, 20_000),
    );
    client.connection.drain();
    expect(client.transport.isEnded).toBe(true);
    const mine = [65_536, 131_072, 131_072].map((length) => buffers.acquire(length));
    for (const { bytes } of mine) bytes.fill(0xee);
    client.send(Buffer.alloc(82_428, 0x11));
    for (const buffer of mine) {
      expect(buffer.bytes.every((byte) => byte === 0xee)).toBe(true);
      buffers.release(buffer);
    }
    expect(stack.layer.log).toEqual([]);
    await endAll(client);
  });

  test("requests under way when a client vanishes end by themselves, and nothing is lost or lent for ever", async () => {
    const client = stack.connect().enter("disk");
    for (let count = 0; count < 3; count++) client.request({ command: Command.read, length: 512 });
    stack.layer.completion = "byHand";
    for (let count = 0; count < 3; count++) {
      client.request({ command: Command.write, offset: 4096, payload: pattern(4096) });
      client.request({ command: Command.read, length: 100_000 });
      client.request({ command: Command.read, length: 4096 });
    }
    client.transport.destroy();
    expect(client.closedCount).toBe(1);
    expect(client.settledCount).toBe(0);
    stack.layer.completeAll();
    await stack.world.run();
    expect(client.settledCount).toBe(1);
    for (const pool of client.pools) pool.close();
    expect(stack.world.environment.buffers.bytesLent).toBe(0);
  });

  test("whoever closes its side only still gets its answers", async () => {
    const client = stack.connect().enter("disk");
    stack.layer.completion = "later";
    for (let cookie = 0; cookie < 5; cookie++) client.request({ command: Command.read, cookie, length: 512 });
    client.connection.ended();
    expect(client.transport.isEnded).toBe(false);
    await stack.world.run();
    expect(client.replies()).toHaveLength(5);
    expect(client.transport.isEnded).toBe(true);
  });

  test("draining answers all that was received, also what limits had held back, and takes no more", async () => {
    const client = stack.connect({ requestsMax: 2 }).enter("disk");
    stack.layer.completion = "later";
    client.send(
      Buffer.concat(
        Array.from({ length: 9 }, (_, cookie) => request({ command: Command.read, cookie, length: 512 })),
      ),
    );
    client.connection.drain();
    client.request({ command: Command.read, cookie: 99, length: 512 });
    await stack.world.run();
    expect(client.replies().map(({ cookie }) => cookie)).toEqual([...Array(9).keys()]);
    expect(client.transport.isEnded).toBe(true);
  });

  test("a client that does not close its side after the server has is cut off", async () => {
    const client = stack.connect().enter("disk");
    client.request({ command: Command.disconnect });
    expect(client.transport.isEnded).toBe(true);
    expect(client.transport.isDestroyed).toBe(false);
    await stack.world.run();
    expect(client.transport.isDestroyed).toBe(true);
  });

  test("a payload that nobody can mean ends the connection", async () => {
    const client = stack.connect().enter("disk");
    client.request({ command: Command.write, offset: 0, length: 0xffff_ffff });
    await stack.world.run();
    expect(client.errorCode).toBe("CEV_PROTOCOL");
  });

  test("a large payload of a refused write is thrown away, and the connection goes on", async () => {
    const limited = stack.connect().enter("disk");
    limited.request({ command: Command.write, cookie: 3, offset: 0, payload: Buffer.alloc(34_000_000) });
    limited.request({ command: Command.read, cookie: 4, length: 512 });
    await stack.world.run();
    expect(limited.replies().map(({ cookie, error }) => [cookie, error])).toEqual([
      [3, NbdErrno.ENOSPC],
      [4, 0],
    ]);
  });
});

/** Closes, and shows that all memory went back. */
async function endAll(client: FakeClient): Promise<void> {
  client.transport.destroy();
  await stack.world.run();
  expect(client.settledCount).toBe(1);
  for (const pool of client.pools) pool.close();
  expect(stack.world.environment.buffers.bytesLent).toBe(0);
}
