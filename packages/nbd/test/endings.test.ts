import { Buffer } from "node:buffer";
import { beforeEach, describe, expect, test } from "vitest";
import { Command, NbdErrno, OptionType } from "../src/protocol/numbers.ts";
import { clientFlags, option, request } from "./support/messages.ts";
import { STACK_SIZE, endAll, makeStack, pattern } from "./support/stack.ts";
import type { Stack } from "./support/stack.ts";

const DISK = Buffer.from(pattern(STACK_SIZE));

let stack: Stack;
beforeEach(async () => {
  stack = await makeStack();
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
    await endAll(stack, client);
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
    await endAll(stack, client);
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
    await endAll(stack, client);
  });

  test("requests under way when a client vanishes end by themselves, and nothing is lost or lent for ever", async () => {
    stack.layer.cancelMode = "ignored";
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

describe("how an ending is told", () => {
  const broken = Object.assign(new Error("write EPIPE"), { code: "EPIPE", errno: -32 });

  test("a break after the client has said goodbye in its handshake is none", () => {
    const client = stack.connect();
    client.transport.isReader = false;
    client.send(clientFlags(), option(OptionType.abort));
    client.connection.closed(broken);
    expect(client.errors).toEqual([null]);
  });

  test("what a client that was answered still sends is thrown away also when the server is closed meanwhile", () => {
    const client = stack.connect().enter("disk");
    client.request({ command: Command.disconnect });
    client.connection.drain();
    // Its end, too, would not be noticed otherwise.
    expect(client.transport.isReading).toBe(true);
  });

  test("a break when all was answered and this side has closed is none", () => {
    const client = stack.connect().enter("disk");
    client.request({ command: Command.disconnect });
    expect(client.transport.isEnded).toBe(true);
    client.connection.closed(broken);
    expect(client.errors).toEqual([null]);
  });

  test.for(["in the handshake", "in transmission", "after a goodbye, while it is owed an answer"])(
    "a break %s is a lost connection",
    (when) => {
      const client = stack.connect();
      if (when !== "in the handshake") client.enter("disk");
      if (when.startsWith("after")) {
        stack.layer.completion = "byHand";
        client.request({ command: Command.read, length: 512 });
        client.request({ command: Command.disconnect });
      }
      client.connection.closed(broken);
      expect(client.errors).toMatchObject([{ code: "CEV_DEVICE_LOST", cause: broken }]);
      stack.layer.completeAll();
    },
  );
});
