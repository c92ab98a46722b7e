import { Buffer } from "node:buffer";
import { ERROR_CODES } from "@cev/core";
import type { ErrorCode } from "@cev/core";
import * as fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { nbdUri } from "../src/transport/listen.ts";
import { AtOnceGuess } from "../src/server/transmission/at-once-guess.ts";
import { nbdErrnoOf } from "../src/protocol/errno.ts";
import { ExportList } from "../src/server/exports/export-list.ts";
import { Export } from "../src/server/exports/export.ts";
import {
  decodeInfoRequest,
  decodeOptionHead,
  decodeString,
  encodeBlockSizeInfo,
  encodeExportInfo,
  encodeGreeting,
  encodeOptionReply,
  encodeServerData,
} from "../src/protocol/option.ts";
import { Command, NbdErrno, TransmissionFlag } from "../src/protocol/numbers.ts";
import { checkRequest } from "../src/server/transmission/request-check.ts";
import { decodeRequestHead, encodeRequestHead, newRequestHead } from "../src/protocol/request-head.ts";
import { encodeDataChunk, encodeSimpleReply } from "../src/server/transmission/reply-writer.ts";
import { infoData, option, parseOptionAnswers } from "./support/messages.ts";
import { makeStack } from "./support/stack.ts";
import type { Stack } from "./support/stack.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);

describe("bytes on the wire", () => {
  test("the greeting", () => {
    expect(hex(encodeGreeting())).toBe("4e42444d41474943" + "49484156454f5054" + "0003");
  });

  test("an answer to an option", () => {
    const bytes = encodeOptionReply(7, 0x80000006, Uint8Array.of(1, 2));
    expect(hex(bytes)).toBe("0003e889045565a9" + "00000007" + "80000006" + "00000002" + "0102");
    expect(parseOptionAnswers(Buffer.from(bytes))).toHaveLength(1);
  });

  test("an entry of a list", () => {
    expect(hex(encodeServerData(Buffer.from("ab"), Buffer.from("c")))).toBe("00000002" + "6162" + "63");
  });

  test("information on an export, past 2^32 bytes too", () => {
    expect(hex(encodeExportInfo(2 ** 40 + 5, 0x0103))).toBe("0000" + "0000010000000005" + "0103");
    const sizes = { minimum: 512, preferred: 4096, payloadMax: 33_554_432 };
    expect(hex(encodeBlockSizeInfo(sizes))).toBe("0003" + "00000200" + "00001000" + "02000000");
  });

  test("a request", () => {
    const head = {
      command: 1,
      flags: 0x0003,
      cookieHigh: -1,
      cookieLow: 2,
      offset: 2 ** 33 + 1,
      length: 512,
    };
    expect(hex(encodeRequestHead(head))).toBe(
      "25609513" + "0003" + "0001" + "ffffffff00000002" + "0000000200000001" + "00000200",
    );
  });

  test("replies", () => {
    const bytes = new Uint8Array(28);
    encodeSimpleReply(viewOf(bytes), 0, -2, 3, 22);
    expect(hex(bytes.subarray(0, 16))).toBe("67446698" + "00000016" + "fffffffe00000003");
    encodeDataChunk(viewOf(bytes), 0, 1, -1, 2 ** 33 + 2 ** 31 + 7, 512);
    expect(hex(bytes)).toBe(
      "668e33ef" + "0001" + "0001" + "00000001ffffffff" + "00000208" + "0000000280000007",
    );
  });
});

describe("decoding undoes encoding", () => {
  const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

  test("of requests", () => {
    fc.assert(
      fc.property(
        fc.record({
          command: fc.integer({ min: 0, max: 0xffff }),
          flags: fc.integer({ min: 0, max: 0xffff }),
          cookieHigh: int32,
          cookieLow: int32,
          offset: fc.maxSafeNat(),
          length: fc.integer({ min: 0, max: 0xffff_ffff }),
        }),
        fc.nat({ max: 9 }),
        (head, at) => {
          const bytes = Buffer.concat([Buffer.alloc(at), encodeRequestHead(head)]);
          const decoded = newRequestHead();
          decodeRequestHead(viewOf(bytes), at, decoded);
          expect(decoded).toEqual(head);
        },
      ),
    );
  });

  test("of information requests; whatever else comes is refused, not misread", () => {
    const text = fc
      .string({ unit: "grapheme", maxLength: 20 })
      .filter((name) => !name.includes("\0") && name.isWellFormed());
    const types = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 5 });
    fc.assert(
      fc.property(text, types, (name, infoTypes) => {
        const data = infoData(name, infoTypes);
        expect(decodeInfoRequest(data)).toEqual({ name, infoTypes });
        expect(decodeInfoRequest(Buffer.concat([data, Buffer.alloc(1)]))).toBeNull();
        expect(decodeInfoRequest(data.subarray(0, -1))).toBeNull();
      }),
    );
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (data) => void decodeInfoRequest(data)));
  });

  test("of option heads", () => {
    expect(decodeOptionHead(viewOf(option(9, new Uint8Array(5))), 0)).toEqual({ option: 9, dataLength: 5 });
    expect(decodeOptionHead(new DataView(new ArrayBuffer(16)), 0)).toBeNull();
  });

  test("strings are UTF-8 without zeroes, of at most 4096 bytes", () => {
    expect(decodeString(Buffer.from("größe"))).toBe("größe");
    expect(decodeString(Buffer.from("\uFEFFx"))).toBe("\uFEFFx");
    expect(decodeString(Buffer.alloc(4096, 97))).toHaveLength(4096);
    for (const bad of [Buffer.alloc(4097, 97), Buffer.from([0xc0]), Buffer.from("a\0")])
      expect(decodeString(bad)).toBeNull();
  });
});

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

  test("payloads are limited as it was said", () => {
    const small = new Export({ name: "x", device: stack.device }, 8192);
    const offered = small.flags(true);
    const check = (command: number, length: number, flags = offered): number =>
      checkRequest(small, flags, { command, flags: 0, offset: 0, length });
    expect(check(Command.read, 8192)).toBe(0);
    expect(check(Command.read, 8193)).toBe(NbdErrno.EOVERFLOW);
    expect(check(Command.read, 8193, offered & ~TransmissionFlag.sendDf)).toBe(NbdErrno.EINVAL);
    expect(check(Command.cache, 8193)).toBe(NbdErrno.EOVERFLOW);
    expect(check(Command.write, 8193)).toBe(NbdErrno.EINVAL);
    expect(check(Command.trim, 8193)).toBe(0);
    expect(check(Command.writeZeroes, 8193)).toBe(0);
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
