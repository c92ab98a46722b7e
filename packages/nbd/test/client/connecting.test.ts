import { Buffer } from "node:buffer";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { CevError, Op, closeTree, isCevError } from "@cev/core";
import { SimulatedWorld } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { tlsSettingsOf } from "../../src/client/client-tls.ts";
import { NbdLayer } from "../../src/client/nbd-layer.ts";
import { limitsOf } from "../../src/client/negotiated.ts";
import type { Negotiated } from "../../src/client/negotiated.ts";
import type { Dialler } from "../../src/client/open-link.ts";
import { encodeError } from "../../src/protocol/chunk.ts";
import { encodeGreeting } from "../../src/protocol/greeting.ts";
import { ChunkFlag, ChunkType, HeaderStyle, OptionReply, OptionType } from "../../src/protocol/numbers.ts";
import { encodeOptionReply } from "../../src/protocol/option.ts";
import { parseNbdUri } from "../../src/protocol/uri.ts";
import type { Transport, TransportUser } from "../../src/transport/transport.ts";
import { chunk } from "../support/model-answers.ts";
import { MIB, done, end, filled, opened } from "../support/session-setting.ts";

type Change = (transport: Transport, user: TransportUser) => Transport;

/** The same way, over transports that differ. */
function changed(change: Change): (dialler: Dialler) => Dialler {
  return (dialler) => ({
    ...dialler,
    connect: async (user, signal) => change(await dialler.connect(user, signal), user),
  });
}

/** All that a transport does, by another object. */
function passOn(transport: Transport): Transport {
  return {
    waitingLength: 0,
    resume: () => transport.resume(),
    pause: () => transport.pause(),
    write: (pieces) => transport.write(pieces),
    end: () => transport.end(),
    destroy: () => transport.destroy(),
  };
}

describe("connecting", () => {
  test("is over in time, also with a server that says nothing once TLS has begun", async () => {
    const world = new SimulatedWorld({ seed: 1 });
    let isClosed: () => void = () => undefined;
    const closed = new Promise<void>((resolve) => (isClosed = resolve));
    const server = createServer((socket) => {
      socket.write(encodeGreeting());
      socket.on("close", () => isClosed());
      socket.on("error", () => undefined);
      let hasAgreed = false;
      socket.on("data", (bytes) => {
        // The client's hello goes unanswered, and time goes by.
        if (hasAgreed) return void world.run();
        if (bytes.length < 16) return;
        hasAgreed = true;
        socket.write(encodeOptionReply(OptionType.startTls, OptionReply.ack));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const uri = `nbds://127.0.0.1:${port}/?tls-verify-peer=0`;
    const error = await NbdLayer.at(world.environment, { uri, connectTimeoutMs: 500 }).catch(
      (thrown: unknown) => thrown,
    );
    expect(isCevError(error) && error.code).toBe("CEV_TIMED_OUT");
    await closed;
    await new Promise((resolve) => server.close(resolve));
    expect(world.environment.buffers.bytesLent).toBe(0);
  });

  test("leaves nothing open when the server does not close after the look", async () => {
    const stubborn = changed((transport) => ({ ...passOn(transport), end: () => undefined }));
    const setting = await opened({}, {}, stubborn);
    expect(setting.server.openCount).toBe(2);
    await setting.wait(3000);
    expect(setting.server.openCount).toBe(1);
    await end(setting);
  });

  test("says good-bye after the look, also where that has ended in the transmission", async () => {
    const setting = await opened({}, { knowsGo: false });
    expect(setting.server.goodbyeCount).toBe(1);
    await end(setting);
    expect(setting.server.goodbyeCount).toBe(2);
  });

  test.each([
    [[], "it has none at all"],
    [["a disk", "b\n"], 'it has "a disk", "b'],
    [Array.from({ length: 12 }, (_, index) => `d${index}`), '"d9" and more'],
  ])("to an export that is not there tells which are (%s)", async (otherNames, hint) => {
    const error = await opened({}, { otherNames }).catch((thrown: unknown) => thrown);
    expect(isCevError(error) && error.code).toBe("CEV_NOT_FOUND");
    expect(isCevError(error) && error.place.hint).toContain(hint);
    expect(isCevError(error) && error.place.hint).not.toContain("\n");
  });

  test("ends with the device", async () => {
    const signals: AbortSignal[] = [];
    const setting = await opened({}, {}, (dialler) => ({
      ...dialler,
      async connect(user, signal) {
        signals.push(signal);
        if (signals.length <= 2) return dialler.connect(user, signal);
        return new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(signal.reason as Error)),
        );
      },
    }));
    setting.server.cut();
    await setting.wait(100);
    expect(signals.length).toBe(3);
    await setting.world.drive(closeTree(setting.layer));
    expect(signals[2]?.aborted).toBe(true);
    await setting.world.run();
    expect(setting.world.environment.buffers.bytesLent).toBe(0);
  });

  test("is tried again, whatever is thrown the first time", async () => {
    let count = 0;
    const setting = await opened({}, {}, (dialler) => ({
      ...dialler,
      async connect(user, signal) {
        if (++count === 3) throw new TypeError("as the platform does");
        return dialler.connect(user, signal);
      },
    }));
    setting.server.cut();
    expect((await setting.run(Op.read, 0, 512, new Uint8Array(512))).error).toBeNull();
    expect(count).toBe(4);
    await end(setting);
  });

  test.each(["tls-type=psk", "tls-hostname=h", "tls-verify-peer=0"])(
    "in plain does not pass over %s in silence",
    async (query) => {
      const error = await tlsSettingsOf(parseNbdUri(`nbd://host/?${query}`), {}, {}).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(CevError);
      expect(isCevError(error) && error.code).toBe("CEV_INVALID");
    },
  );
});

describe("the sizes of blocks", () => {
  const negotiated = (preferred: number, payloadMax: number): Negotiated => ({
    size: 8 * MIB,
    flags: 1,
    style: HeaderStyle.simple,
    sizes: { minimum: 512, preferred, payloadMax },
    description: null,
    allocationId: null,
    isTls: false,
  });

  test.each([
    [2 ** 32 - 1, 32 * MIB, 16 * MIB],
    [MIB, 65_536, 65_536],
    [196_608, MIB, 196_608],
    [1000, MIB, 512],
  ])("preferred %d of at most %d are %d here", (preferred, payloadMax, expected) => {
    const limits = limitsOf(negotiated(preferred, payloadMax), 16 * MIB, "test");
    expect(limits.ioLengthPreferred).toBe(expected);
    expect(limits.ioLengthPreferred).toBeLessThanOrEqual(limits.ioLengthMax);
  });
});

describe("memory of requests", () => {
  test("of a write that is answered early is free only when it was sent", async () => {
    let hasLeft = false;
    let isSlow = false;
    const setting = await opened(
      {},
      {},
      changed((transport, user) => ({
        ...passOn(transport),
        write(pieces) {
          const isLong = pieces.some((piece) => piece.length > 32_768);
          if (!isLong) return transport.write(pieces);
          isSlow = true;
          transport.write(pieces.map((piece) => Buffer.from(piece)));
          setting.world.environment.clock.after(1000, () => {
            hasLeft = true;
            user.drained();
          });
          return false;
        },
      })),
    );
    const io = await setting.run(Op.write, 0, 65_536, filled(65_536, 1));
    expect([io.error, isSlow, hasLeft]).toEqual([null, true, true]);
    await end(setting);
  });

  test("of a read that is cancelled while it is received into is free with the next bytes", async () => {
    const data = new Uint8Array(65_536);
    let cancel: (() => void) | null = null;
    let lengthMax = Infinity;
    const setting = await opened(
      {},
      // The end of the answer never comes.
      { splitsReads: false, tamper: (answer) => answer.subarray(0, answer.length - 1000) },
      (dialler) => ({
        ...dialler,
        connect: (user, signal) =>
          dialler.connect(
            {
              receiveInto() {
                const room = user.receiveInto();
                if (room.buffer !== data.buffer) return room;
                cancel?.();
                cancel = null;
                return room.subarray(0, lengthMax);
              },
              received: (length) => user.received(length),
              ended: () => user.ended(),
              drained: () => user.drained(),
              closed: (error) => user.closed(error),
            },
            signal,
          ),
      }),
    );
    lengthMax = 8192;
    const io = setting.submit(Op.read, 0, data.length, data);
    cancel = () => io.cancel();
    expect(await done(setting, io)).toEqual(["CEV_CANCELLED"]);
    expect(cancel).toBeNull();
    await setting.world.drive(closeTree(setting.layer));
  });

  test("of a read that fails in several places is good up to the first of them", async () => {
    for (const places of [
      [4096, 512],
      [4096, null],
      [512, 4096],
    ]) {
      const setting = await opened(
        {},
        {
          splitsReads: false,
          tamper(answer) {
            answer.writeUInt16BE(0, 4);
            const errors = places.map((place, index) =>
              chunk(
                HeaderStyle.structured,
                { cookieHigh: answer.readInt32BE(8), cookieLow: answer.readInt32BE(12), offset: 0 },
                {
                  type: place === null ? ChunkType.error : ChunkType.errorOffset,
                  flags: index === 1 ? ChunkFlag.done : 0,
                },
                encodeError(5, "here", place),
              ),
            );
            return Buffer.concat([answer, ...errors]);
          },
        },
      );
      const io = await setting.run(Op.read, 0, 8192, new Uint8Array(8192));
      expect(io.error?.code).toBe("CEV_MEDIUM");
      expect(io.transferred).toBe(places.includes(null) ? 0 : 512);
      await end(setting);
    }
  });
});
