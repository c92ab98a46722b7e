import { Device, ERROR_CODES } from "@cev/core";
import type { ErrorCode } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { beforeAll, describe, expect, test } from "vitest";
import { nbdUri } from "../../src/transport/listen.ts";
import { AtOnceGuess } from "../../src/server/transmission/at-once-guess.ts";
import { nbdErrnoOf } from "../../src/protocol/errno.ts";
import { ExportList } from "../../src/server/exports/export-list.ts";
import { choose } from "../../src/server/handshake/choice.ts";
import { Negotiation } from "../../src/server/handshake/negotiation.ts";
import { PLAIN } from "../../src/tls/security.ts";
import { Export } from "../../src/server/exports/export.ts";
import { Command, HeaderStyle, NbdErrno, TransmissionFlag } from "../../src/protocol/numbers.ts";
import { checkRequest } from "../../src/server/transmission/request-check.ts";
import { STACK_SIZE, makeStack } from "../support/stack.ts";
import type { Stack } from "../support/stack.ts";

describe("errors", () => {
  test("every code becomes an error that the protocol knows", () => {
    const known: number[] = Object.values(NbdErrno);
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
      expect(known).toContain(nbdErrnoOf(code));
      // Reserved for zeroes that were asked to be fast.
      expect(nbdErrnoOf(code)).not.toBe(NbdErrno.ENOTSUP);
    }
    expect(nbdErrnoOf("CEV_NOT_SUPPORTED", true)).toBe(NbdErrno.ENOTSUP);
    expect(nbdErrnoOf("CEV_NO_SPACE")).toBe(NbdErrno.ENOSPC);
  });
});

describe("exports", () => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await makeStack();
  });

  test("the preferred size is a power of two also where a full stripe is none", async () => {
    const raid = await makeStack({ limits: { ioLengthPreferred: 3 * 65_536 } });
    expect(new Export({ name: "r", device: raid.device }).blockSizes.preferred).toBe(65_536);
    const odd = await makeStack({ limits: { ioLengthPreferred: 3 * 512 } });
    expect(new Export({ name: "r", device: odd.device }).blockSizes.preferred).toBe(512);
  });

  test("blocks of the device are the smallest where it was opened so", async () => {
    const coarse = await makeStack({ blockSize: 4096, device: { blockSize: 4096 } });
    expect(new Export({ name: "x", device: coarse.device }).blockSizes).toEqual({
      minimum: 4096,
      preferred: 4096,
      payloadMax: 33_554_432,
    });
  });

  test.for([5000, 4096, 1_000_000, 33_554_432])(
    "sizes are as the document wants them where %i bytes are the longest payload",
    async (payloadMax) => {
      for (const blockSize of [1, 512, 4096, 65_536])
        for (const ioLengthPreferred of [512, 65_536, 3 * 65_536, 1_048_576]) {
          const limits = { ioLengthPreferred, logicalBlockSize: blockSize, physicalBlockSize: 65_536 };
          const layer = new MemoryLayer(stack.world.environment, { size: STACK_SIZE, limits });
          const opening = Device.open(layer, stack.world.environment, { blockSize });
          const device = await stack.world.drive(opening);
          const sizes = new Export({ name: "x", device }, payloadMax).blockSizes;
          expect(sizes.minimum).toBe(blockSize);
          expect(Number.isInteger(Math.log2(sizes.preferred))).toBe(true);
          expect(sizes.preferred).toBeGreaterThanOrEqual(Math.max(512, blockSize));
          expect(sizes.payloadMax).toBeGreaterThanOrEqual(sizes.preferred);
          expect(sizes.payloadMax % sizes.minimum).toBe(0);
          expect(sizes.payloadMax).toBeLessThanOrEqual(Math.max(payloadMax, blockSize));
        }
    },
  );

  test("payloads are limited as it was said", () => {
    const small = new Export({ name: "x", device: stack.device }, 8192);
    const offered = small.flags(HeaderStyle.structured, false);
    const check = (command: number, length: number, flags = offered): number =>
      checkRequest(small, flags, { command, flags: 0, offset: 0, length });
    expect(check(Command.read, 8192)).toBe(0);
    expect(check(Command.read, 8193)).toBe(NbdErrno.EOVERFLOW);
    expect(check(Command.read, 8193, offered & ~TransmissionFlag.sendDf)).toBe(NbdErrno.EINVAL);
    expect(check(Command.cache, 8193)).toBe(0);
    expect(check(Command.write, 8193)).toBe(NbdErrno.EINVAL);
    expect(check(Command.trim, 8193)).toBe(0);
    expect(check(Command.writeZeroes, 8193)).toBe(0);
  });

  test("clients that were told no sizes may send twice what every server has to bear, unless it was set otherwise", () => {
    const [disk, frozen] = stack.exports;
    const small = new Export({ name: "x", device: stack.device }, 8192);
    const negotiation = new Negotiation({ isFixedNewstyle: true, wantsZeroes: false }, PLAIN);
    const payloadMax = (target: Export): number => choose(target, negotiation).payloadMax / 1024;
    expect([payloadMax(disk!), payloadMax(small)]).toEqual([65_536, 8]);
    negotiation.sizesToldOf = disk!;
    expect([payloadMax(disk!), payloadMax(frozen!)]).toEqual([32_768, 65_536]);
    negotiation.style = HeaderStyle.extended;
    expect(payloadMax(frozen!)).toBe(32_768);
  });

  test("the empty name finds an export of that name before the default", () => {
    const [disk] = stack.exports;
    const unnamed = new Export({ name: "", device: stack.device });
    expect(new ExportList(stack.exports).find("")).toBe(disk);
    expect(new ExportList([disk!, unnamed]).find("")).toBe(unnamed);
    expect(new ExportList([]).find("")).toBeNull();
  });
});

test("URIs name the socket or the host, and the export", () => {
  expect(nbdUri({ path: "/run/a b.sock" }, "vg0/root")).toBe("nbd+unix:///vg0%2Froot?socket=/run/a%20b.sock");
  expect(nbdUri({ host: "::1", port: 10_809 }, "")).toBe("nbd://[::1]:10809/");
});

test("a device that answered late has to answer at once many times before it is trusted again", () => {
  const guess = new AtOnceGuess();
  expect(guess.isLikely).toBe(false);
  guess.noteAtOnce();
  expect(guess.isLikely).toBe(true);
  guess.noteLater();
  for (let count = 0; count < 8; count++) {
    guess.noteAtOnce();
    expect(guess.isLikely).toBe(false);
  }
  guess.noteAtOnce();
  expect(guess.isLikely).toBe(true);
});
