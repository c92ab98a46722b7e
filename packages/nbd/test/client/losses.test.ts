import { Buffer } from "node:buffer";
import { Op, closeTree } from "@cev/core";
import { describe, expect, test } from "vitest";
import { WriteLog, costOf } from "../../src/client/write-log.ts";
import { Command, NbdErrno } from "../../src/protocol/numbers.ts";
import type { RequestHead } from "../../src/protocol/request-head.ts";
import type { Moment } from "../support/model-server.ts";
import { MIB, done, end, filled, opened } from "../support/session-setting.ts";
import type { Setting } from "../support/session-setting.ts";

const block = (): Uint8Array => new Uint8Array(512);

describe("a server that is lost again and again", () => {
  test.each([true, false])(
    "because of one request is given up, however often the rest is answered (with copies: %s)",
    async (hasCopies) => {
      let isArmed = false;
      const setting: Setting = await opened(
        { reconnectTimeoutMs: 20_000 },
        {
          errnoOf({ command, offset }: Readonly<RequestHead>) {
            if (isArmed && command === Command.read && offset === 4096) setting.server.cut();
            return 0;
          },
        },
      );
      if (hasCopies) await setting.run(Op.write, 0, 512, filled(512, 1));
      isArmed = true;
      const others: Promise<unknown>[] = [];
      const more = (): void => {
        const io = setting.submit(Op.read, 0, 512, block());
        others.push(
          new Promise<void>(
            (resolve) =>
              void io.wait(() => {
                if (io.error === null && others.length < 2000)
                  setting.world.environment.clock.after(10, more);
                resolve();
              }, null),
          ),
        );
      };
      more();
      const before = setting.server.connectionCount;
      const io = await setting.run(Op.read, 4096, 512, block());
      expect(io.error?.code).toBe("CEV_DEVICE_LOST");
      expect(setting.server.connectionCount - before).toBeLessThan(20);
      await setting.world.drive(Promise.all(others));
      await end(setting);
    },
  );

  test("while nothing is asked is come back to with longer and longer pauses", async () => {
    let isArmed = false;
    let optionCount = 0;
    const setting: Setting = await opened(
      { reconnectTimeoutMs: 30_000 },
      {
        onMoment(moment: Moment) {
          // Four options make a handshake.
          if (!isArmed || moment !== "option" || ++optionCount % 4 !== 0) return;
          setting.world.environment.clock.after(1, () => setting.server.cut());
        },
      },
    );
    isArmed = true;
    const before = setting.server.connectionCount;
    setting.server.cut();
    await setting.wait(60_000);
    const count = setting.server.connectionCount - before;
    expect(count).toBeGreaterThan(5);
    expect(count).toBeLessThan(20);
    expect((await setting.run(Op.read, 0, 512, block())).error?.code).toBe("CEV_DEVICE_LOST");
    await end(setting);
  });

  test("with some time between is come back to at once, and never given up", async () => {
    const setting = await opened({ reconnectTimeoutMs: 1000 });
    for (let count = 0; count < 40; count++) {
      await setting.wait(2000);
      setting.server.cut();
    }
    const before = setting.world.now;
    expect((await setting.run(Op.read, 0, 512, block())).error).toBeNull();
    expect(setting.world.now - before).toBeLessThan(50);
    await end(setting);
  });
});

describe("a line that breaks again and again", () => {
  const CHUNK = 65_536;

  /** Breaks after every so many answers. */
  async function brittle(answersMax: number): Promise<{ setting: Setting; hold: (isHeld: boolean) => void }> {
    let isArmed = false;
    let count = 0;
    const setting: Setting = await opened(
      { reconnectTimeoutMs: 2000, unflushedMax: 16 * MIB },
      {
        size: 8 * MIB,
        onMoment(moment: Moment) {
          if (moment !== "answered" || !isArmed || ++count % answersMax !== 0) return;
          setting.server.cut();
        },
      },
    );
    return { setting, hold: (isHeld) => (isArmed = isHeld) };
  }

  test("is not given up as long as what was lost gets through, one after the other", async () => {
    const { setting, hold } = await brittle(3);
    hold(true);
    const ios = Array.from({ length: 200 }, (_, index) => {
      const data = filled(512, index % 251);
      return setting.submit(index % 4 === 0 ? Op.read : Op.write, index * 512, 512, data);
    });
    expect(new Set(await done(setting, ...ios))).toEqual(new Set([null]));
    expect(setting.server.connectionCount).toBeGreaterThan(50);
    hold(false);
    await end(setting);
  });

  test("gets all again that may be lost, although it never holds for all of that", async () => {
    const { setting, hold } = await brittle(10);
    for (let index = 0; index < 64; index++)
      await setting.run(Op.write, index * CHUNK, CHUNK, filled(CHUNK, index + 1));
    hold(true);
    // The machine goes down, too: what comes back has nothing of what was not flushed.
    setting.disk.cut(setting.world.random);
    setting.server.cut();
    const flush = await setting.run(Op.flush, 0, 0);
    expect(flush.error).toBeNull();
    hold(false);
    setting.disk.cut(setting.world.random);
    for (let index = 0; index < 64; index++) {
      const { data } = await setting.run(Op.read, index * CHUNK, CHUNK, new Uint8Array(CHUNK));
      expect(data).toEqual(filled(CHUNK, index + 1));
    }
    await end(setting);
  });

  test("and a server whose flush fails meanwhile get all again from there, and the next flush is believed", async () => {
    let failures = 0;
    const setting: Setting = await opened(
      { unflushedMax: 16 * MIB },
      {
        size: 8 * MIB,
        errnoOf({ command }: Readonly<RequestHead>) {
          if (command !== Command.flush || failures === 0) return 0;
          failures--;
          // As some do: what could not be written is forgotten.
          setting.disk.cut(setting.world.random);
          return NbdErrno.EIO;
        },
      },
    );
    for (let index = 0; index < 32; index++)
      await setting.run(Op.write, index * CHUNK, CHUNK, filled(CHUNK, index + 1));
    failures = 1;
    setting.server.cut();
    expect((await setting.run(Op.flush, 0, 0)).error).toBeNull();
    expect(failures).toBe(0);
    setting.disk.cut(setting.world.random);
    for (let index = 0; index < 32; index++) {
      const { data } = await setting.run(Op.read, index * CHUNK, CHUNK, new Uint8Array(CHUNK));
      expect(data).toEqual(filled(CHUNK, index + 1));
    }
    await end(setting);
  });
});

describe("whoever listens", () => {
  test("hears when the server is away, back, and lost for good, once each", async () => {
    const setting = await opened({ reconnectTimeoutMs: 5000 });
    setting.server.isListening = false;
    setting.server.cut();
    await setting.wait(1000);
    setting.server.isListening = true;
    await setting.run(Op.read, 0, 512, block());
    await setting.wait(2000);
    setting.server.isListening = false;
    setting.server.cut();
    await setting.wait(10_000);
    expect(setting.problems.map(({ severity }) => severity)).toEqual([
      "warning",
      "warning",
      "warning",
      "error",
    ]);
    expect(setting.problems.map(({ message }) => /away|back|lost/.exec(message)?.[0])).toEqual([
      "away",
      "back",
      "away",
      "lost",
    ]);
    for (const { message } of setting.problems) expect(message).toContain("model");
    await end(setting);
  });
});

describe("a server that falls silent", () => {
  test("while it gets again what it had answered is lost as well", async () => {
    let isSilent = false;
    const setting: Setting = await opened(
      { requestTimeoutMs: 5000, reconnectTimeoutMs: 20_000 },
      { onMoment: (moment: Moment) => moment === "received" && isSilent && setting.server.stall() },
    );
    await setting.run(Op.write, 0, 512, filled(512, 1));
    isSilent = true;
    setting.server.cut();
    const io = setting.submit(Op.read, 0, 512, block());
    setting.world.environment.clock.after(12_000, () => (isSilent = false));
    expect(await done(setting, io)).toEqual([null]);
    await end(setting);
  });
});

describe("memory for copies", () => {
  test("that a cancelled write gives back lets the next one in", async () => {
    const setting = await opened({ unflushedMax: MIB }, { size: 4 * MIB });
    const half = MIB / 2;
    const read = setting.submit(Op.read, 0, 4096, new Uint8Array(4096));
    read.cancel();
    const first = setting.submit(Op.write, 0, half, filled(half, 1));
    const second = setting.submit(Op.write, MIB, half, filled(half, 2));
    first.cancel();
    const codes = await done(setting, read, first, second);
    expect(codes[2]).toBeNull();
    await end(setting);
  });

  test("is bounded as well where trims cut what is kept into pieces", async () => {
    const size = 16 * MIB;
    const setting = await opened({ unflushedMax: MIB }, { size, splitsReads: false });
    for (let at = 0; at < size; at += MIB / 2) await setting.run(Op.writeZeroes, at, MIB / 2);
    // Each makes two entries of one, and costs nothing.
    for (let at = 512; at + 512 <= size; at += 128 * 1024) {
      const many = Array.from({ length: 100 }, (_, index) =>
        setting.submit(Op.discard, at + index * 1024, 512),
      );
      await done(setting, ...many);
    }
    setting.asked.length = 0;
    setting.server.cut();
    await setting.run(Op.read, 0, 512, block());
    // 128 bytes for each that is kept.
    expect(setting.asked.length).toBeLessThan(MIB / 128);
    await end(setting);
  });

  test("a copy is one, also of a kind of array whose slices are none", async () => {
    const setting = await opened();
    const data = Buffer.alloc(1024, 7);
    await setting.run(Op.write, 0, 1024, data);
    data.fill(8);
    setting.disk.cut(setting.world.random);
    setting.server.cut();
    const io = await setting.run(Op.read, 0, 1024, new Uint8Array(1024));
    expect(io.data).toEqual(filled(1024, 7));
    await end(setting);
  });

  test("of a long write small ones are cut out without a copy of it each time", () => {
    const log = new WriteLog();
    const length = 16 * MIB;
    log.add(0, length, new Uint8Array(length));
    log.add(4096, 512, filled(512, 1));
    const [front, middle, back] = log.entries;
    expect([front, middle, back].map((entry) => entry?.length)).toEqual([4096, 512, length - 4608]);
    expect(back!.data!.buffer.byteLength).toBe(length);
    expect(front!.data!.buffer.byteLength).toBe(4096);
    // What is held counts, and not what is used of it.
    expect(log.bytes).toBe(costOf(length) + costOf(4096) + costOf(512));
    log.add(MIB, length - MIB, filled(length - MIB, 2));
    expect(log.bytes).toBeLessThan(length + MIB + 1024);
  });
});

describe("a server that shuts down", () => {
  test("is left with a good-bye, after what it still does", async () => {
    let isLeaving = true;
    const errnos: number[] = [];
    const setting = await opened(
      {},
      {
        errnoOf({ command }: Readonly<RequestHead>) {
          const errno = isLeaving && command === Command.read ? NbdErrno.ESHUTDOWN : 0;
          errnos.push(errno);
          return errno;
        },
        onMoment: (moment: Moment) => {
          if (moment === "accepted" && errnos.length > 0) isLeaving = false;
        },
      },
    );
    const before = setting.server.goodbyeCount;
    const ios = [
      setting.submit(Op.read, 0, 512, block()),
      setting.submit(Op.write, 4096, 512, filled(512, 1)),
      setting.submit(Op.write, 8192, 512, filled(512, 2)),
    ];
    expect(await done(setting, ...ios)).toEqual([null, null, null]);
    expect(setting.server.goodbyeCount - before).toBe(1);
    expect(setting.asked.filter(({ command }) => command === Command.read).length).toBe(2);
    await setting.world.drive(closeTree(setting.layer));
  });
});
