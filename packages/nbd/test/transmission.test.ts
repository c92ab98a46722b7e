import { Buffer } from "node:buffer";
import { IoFlag, Op } from "@cev/core";
import { beforeEach, describe, expect, test } from "vitest";
import { ChunkType, Command, CommandFlag, NbdErrno } from "../src/protocol/numbers.ts";
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
