import { Buffer } from "node:buffer";
import type { ErrorCode } from "@cev/core";
import { beforeEach, describe, expect, test } from "vitest";
import { Command, CommandFlag, NbdErrno } from "../src/protocol/numbers.ts";
import { STACK_SIZE, makeStack, pattern } from "./support/stack.ts";
import type { Stack } from "./support/stack.ts";

const DISK = Buffer.from(pattern(STACK_SIZE));

let stack: Stack;
beforeEach(async () => {
  stack = await makeStack();
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
    // Of a layer that is not of this house.
    ["ELSEWHERE_BROKEN" as ErrorCode, NbdErrno.EIO],
    ["constructor" as ErrorCode, NbdErrno.EIO],
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
