import { Buffer } from "node:buffer";
import { Op, closeTree, isCevError } from "@cev/core";
import type { Io } from "@cev/core";
import { SimulatedWorld } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { Command, NbdErrno, TransmissionFlag } from "../../src/protocol/numbers.ts";
import type { Moment } from "../support/model-server.ts";
import { MIB, done, end, filled, opened } from "../support/session-setting.ts";
import type { Setting } from "../support/session-setting.ts";

describe("a server that is away", () => {
  test("is waited for up to a limit, and then lost for good", async () => {
    const setting = await opened({ reconnectTimeoutMs: 20_000 });
    setting.server.isListening = false;
    setting.server.cut();
    const io = await setting.run(Op.read, 0, 512, new Uint8Array(512));
    expect(io.error?.code).toBe("CEV_DEVICE_LOST");
    expect(setting.world.now).toBeGreaterThan(19_000);
    setting.server.isListening = true;
    expect((await setting.run(Op.write, 0, 512, filled(512, 1))).error?.code).toBe("CEV_DEVICE_LOST");
    await end(setting);
  });

  test("is not waited for where that is not wanted", async () => {
    const setting = await opened({ reconnectTimeoutMs: 0 });
    const io = setting.submit(Op.read, 0, 512, new Uint8Array(512));
    setting.server.cut();
    expect(await done(setting, io)).toEqual(["CEV_DEVICE_LOST"]);
    expect(setting.world.now).toBeLessThan(1000);
    await end(setting);
  });

  test("fails writes as well that wait for one another, as they are of one range", async () => {
    const setting = await opened({ reconnectTimeoutMs: 0 });
    const ios = [1, 2, 3].map((value) => setting.submit(Op.write, 0, 512, filled(512, value)));
    setting.server.cut();
    expect(await done(setting, ...ios)).toEqual(["CEV_DEVICE_LOST", "CEV_DEVICE_LOST", "CEV_DEVICE_LOST"]);
    await end(setting);
  });

  test("lets go at once of requests that are cancelled", async () => {
    const setting = await opened();
    setting.server.isListening = false;
    const before = setting.submit(Op.write, 0, 512, filled(512, 1));
    setting.server.cut();
    await setting.world.drive(
      new Promise<void>((resolve) => setting.world.environment.clock.after(1000, resolve)),
    );
    const after = setting.submit(Op.write, 0, 512, filled(512, 2));
    for (const io of [before, after]) io.cancel();
    expect(await done(setting, before, after)).toEqual(["CEV_CANCELLED", "CEV_CANCELLED"]);
    setting.server.isListening = true;
    expect((await setting.run(Op.write, 0, 512, filled(512, 3))).error).toBeNull();
    await end(setting);
  });

  test("is another one when it comes back with another size", async () => {
    const setting = await opened();
    setting.server.size = MIB / 2;
    setting.server.cut();
    const io = await setting.run(Op.read, 0, 512, new Uint8Array(512));
    expect(io.error?.code).toBe("CEV_DEVICE_LOST");
    expect(io.error?.message).toMatch(/another export/);
    await end(setting);
  });

  test("a close tells that answered writes may be lost", async () => {
    const setting = await opened();
    expect((await setting.run(Op.write, 0, 512, filled(512, 1))).error).toBeNull();
    setting.server.isListening = false;
    setting.server.cut();
    await setting.world.drive(
      new Promise<void>((resolve) => setting.world.environment.clock.after(1000, resolve)),
    );
    const code = await setting.world.drive(
      closeTree(setting.layer).then(
        () => "closed",
        (error: unknown) => (isCevError(error) ? error.code : "no code"),
      ),
    );
    expect(code).toBe("CEV_DEVICE_LOST");
  });
});

describe("flushes", () => {
  test("after one that failed, all is written again before the next is believed", async () => {
    let failures = 1;
    const setting = await opened(
      {},
      { errnoOf: ({ command }) => (command === Command.flush && failures-- > 0 ? NbdErrno.EIO : 0) },
    );
    await setting.run(Op.write, 4096, 1024, filled(1024, 7));
    expect((await setting.run(Op.flush, 0, 0)).error?.code).toBe("CEV_IO");
    // A server that throws away what it could not write.
    setting.disk.cut(setting.world.random);
    setting.asked.length = 0;
    expect((await setting.run(Op.flush, 0, 0)).error).toBeNull();
    expect(setting.asked.map(({ command }) => command)).toEqual([Command.write, Command.flush]);
    setting.disk.cut(setting.world.random);
    expect(setting.disk.contents.subarray(4096, 5120)).toEqual(filled(1024, 7));
    await end(setting);
  });

  test("a flush that succeeds beside one that failed proves nothing", async () => {
    let index = 0;
    const setting = await opened(
      {},
      { errnoOf: ({ command }) => (command === Command.flush && index++ === 0 ? NbdErrno.EIO : 0) },
    );
    await setting.run(Op.write, 0, 512, filled(512, 1));
    const both = [setting.submit(Op.flush, 0, 0), setting.submit(Op.flush, 0, 0)];
    const codes = await done(setting, ...both);
    // Whichever was answered first: no success may follow the failure.
    const failedFirst = codes[0] === "CEV_IO" || codes[1] === "CEV_IO";
    expect(failedFirst).toBe(true);
    setting.asked.length = 0;
    expect((await setting.run(Op.flush, 0, 0)).error).toBeNull();
    expect(setting.asked.map(({ command }) => command)).toContain(Command.flush);
    await end(setting);
  });

  test("copies take no more memory than was allowed: the device flushes by itself", async () => {
    const size = 8 * MIB;
    const setting = await opened({ unflushedMax: MIB }, { size });
    const length = 65_536;
    const ios: Io[] = [];
    for (let at = 0; at < size; at += length)
      ios.push(setting.submit(Op.write, at, length, filled(length, at / length)));
    expect(new Set(await done(setting, ...ios))).toEqual(new Set([null]));
    let answered = 0;
    let worst = 0;
    for (const { command, length: bytes } of setting.asked) {
      if (command === Command.flush) answered = 0;
      else answered += bytes;
      worst = Math.max(worst, answered);
    }
    // What is under way while a flush is counts on top.
    expect(worst).toBeLessThanOrEqual(2 * MIB);
    expect(setting.asked.filter(({ command }) => command === Command.flush).length).toBeGreaterThan(6);
    await end(setting);
  });

  test("a server that never flushes fails writes that wait for room, and hangs none", async () => {
    const setting = await opened(
      { unflushedMax: MIB },
      { size: 4 * MIB, errnoOf: ({ command }) => (command === Command.flush ? NbdErrno.EIO : 0) },
    );
    const ios = Array.from({ length: 40 }, (_, index) =>
      setting.submit(Op.write, index * 65_536, 65_536, filled(65_536, index)),
    );
    const codes = await done(setting, ...ios);
    expect(codes).toContain("CEV_IO");
    await end(setting);
  });

  test("without flushes nothing is kept and nothing promised", async () => {
    const flags = TransmissionFlag.hasFlags | TransmissionFlag.sendTrim;
    const setting = await opened({}, { flags });
    expect(setting.layer.support.flush).toBe("none");
    await setting.run(Op.write, 0, 512, filled(512, 1));
    setting.asked.length = 0;
    setting.server.cut();
    await setting.run(Op.read, 0, 512, new Uint8Array(512));
    expect(setting.asked.map(({ command }) => command)).toEqual([Command.read]);
    await end(setting);
  });
});

describe("requests", () => {
  test("of the same range go out one after the other, in their order", async () => {
    const setting = await opened();
    const ios = Array.from({ length: 12 }, (_, index) =>
      setting.submit(Op.write, 512, 1024, filled(1024, index)),
    );
    await done(setting, ...ios);
    const io = await setting.run(Op.read, 512, 1024, new Uint8Array(1024));
    expect(io.data).toEqual(filled(1024, 11));
    await end(setting);
  });

  test("an error of the server is one here, with its sentence", async () => {
    const setting = await opened(
      {},
      {
        errnoOf: ({ command }) =>
          command === Command.read ? NbdErrno.EIO : command === Command.write ? NbdErrno.ENOSPC : 4711,
      },
    );
    const read = await setting.run(Op.read, 0, 512, new Uint8Array(512));
    expect(read.error?.code).toBe("CEV_MEDIUM");
    expect(read.error?.message).toMatch(/as was asked/);
    expect((await setting.run(Op.write, 0, 512, filled(512, 1))).error?.code).toBe("CEV_NO_SPACE");
    expect((await setting.run(Op.discard, 0, 512)).error?.code).toBe("CEV_INVALID");
    await end(setting);
  });

  test("a server that shuts down is waited for", async () => {
    let isLeaving = true;
    let acceptedCount = 0;
    const setting = await opened(
      {},
      {
        errnoOf: () => (isLeaving ? NbdErrno.ESHUTDOWN : 0),
        onMoment: (moment: Moment) => {
          // The first looks, the second is the one that is told to leave.
          if (moment === "accepted" && ++acceptedCount > 2) isLeaving = false;
        },
      },
    );
    expect((await setting.run(Op.write, 0, 512, filled(512, 1))).error).toBeNull();
    expect(setting.server.connectionCount).toBeGreaterThan(2);
    await end(setting);
  });

  test("an answer that does not come in time is a lost connection, where that was asked for", async () => {
    let isHanging = true;
    const setting: Setting = await opened(
      { requestTimeoutMs: 5000 },
      {
        onMoment: (moment: Moment) => {
          if (moment === "received" && isHanging) setting.server.stall();
        },
      },
    );
    const io = setting.submit(Op.read, 0, 512, new Uint8Array(512));
    setting.world.environment.clock.after(4000, () => (isHanging = false));
    expect(await done(setting, io)).toEqual([null]);
    expect(setting.world.now).toBeGreaterThanOrEqual(5000);
    await end(setting);
  });
});

describe("a server that breaks the protocol", () => {
  const STRUCTURED_HEAD = 20;
  const tampering: readonly [string, (answer: Buffer) => Buffer][] = [
    ["answers something that was not asked", (answer) => changed(answer, 12, 0x7f)],
    ["answers with an old cookie", (answer) => changed(answer, 11, 0x55)],
    ["answers twice", (answer) => Buffer.concat([answer, answer])],
    ["sends what is no reply", (answer) => changed(answer, 0, 0)],
    ["sends a chunk nobody knows", (answer) => changed(answer, 7, 9)],
    ["sends data from elsewhere", (answer) => changed(answer, STRUCTURED_HEAD + 6, 0x40)],
    ["leaves data out", (answer) => shortened(answer)],
  ];
  test.each(tampering)("and %s is lost, for good", async (_what, tamper) => {
    const setting = await opened({}, { tamper, splitsReads: false });
    const io = await setting.run(Op.read, 0, 4096, new Uint8Array(4096));
    const next = await setting.run(Op.read, 0, 4096, new Uint8Array(4096));
    // One whose answer was whole before the rest came is done.
    expect([io.error?.code, next.error?.code]).toContain("CEV_DEVICE_LOST");
    expect(next.error?.code).toBe("CEV_DEVICE_LOST");
    await end(setting);
  });

  test("in whatever way: every request ends, once, and all memory comes back", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const chance = new SimulatedWorld({ seed }).random;
      const tamper = (answer: Buffer): Buffer => {
        if (!chance.chance(0.1)) return answer;
        return changed(answer, chance.below(answer.length), chance.below(256));
      };
      const setting = await opened({ reconnectTimeoutMs: 5000, requestTimeoutMs: 1000 }, { tamper });
      const ios = Array.from({ length: 30 }, (_, index) =>
        index % 3 === 0
          ? setting.submit(Op.write, index * 4096, 4096, filled(4096, index))
          : setting.submit(Op.read, index * 4096, 4096, new Uint8Array(4096)),
      );
      await done(setting, ...ios);
      await setting.world.drive(closeTree(setting.layer).catch(() => undefined));
      await setting.world.run();
      expect(setting.world.environment.buffers.bytesLent, `seed ${seed}`).toBe(0);
    }
  });
});

function changed(bytes: Buffer, at: number, value: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = value;
  return copy;
}

/** Eight bytes less of data than was asked for, in a chunk that is right in itself. */
function shortened(answer: Buffer): Buffer {
  const copy = Buffer.from(answer.subarray(0, answer.length - 8));
  copy.writeUInt32BE(copy.readUInt32BE(16) - 8, 16);
  return copy;
}
