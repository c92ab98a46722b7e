import { Buffer } from "node:buffer";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  ChunkFlag,
  ChunkType,
  Command,
  CommandFlag,
  HeaderStyle,
  SIMPLE_REPLY_MAGIC,
} from "../../src/protocol/numbers.ts";
import {
  chunkHeadLength,
  decodeReplyHead,
  encodeChunkHead,
  encodeSimpleReply,
  newReplyHead,
} from "../../src/protocol/reply-head.ts";
import {
  decodeRequestHead,
  newRequestHead,
  payloadLengthOf,
  requestLength,
  requestMagic,
} from "../../src/protocol/request-head.ts";
import { requestHead } from "../support/messages.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const int32 = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const uint16 = fc.integer({ min: 0, max: 0xffff });
const uint32 = fc.integer({ min: 0, max: 0xffff_ffff });
const styles = fc.constantFrom(...Object.values(HeaderStyle));
const place = fc.nat({ max: 9 });

describe("requests", () => {
  const head = { command: 1, flags: 3, cookieHigh: -1, cookieLow: 2, offset: 2 ** 33 + 1, length: 512 };

  test("are 28 bytes in the compact form", () => {
    expect(hex(requestHead(head))).toBe(
      "25609513" + "0003" + "0001" + "ffffffff00000002" + "0000000200000001" + "00000200",
    );
  });

  test("are 32 bytes in the extended form, with lengths past 2^32", () => {
    expect(hex(requestHead({ ...head, length: 2 ** 40 + 3 }, HeaderStyle.extended))).toBe(
      "21e41c71" + "0003" + "0001" + "ffffffff00000002" + "0000000200000001" + "0000010000000003",
    );
  });

  test("are read as they were written, wherever they lie", () => {
    const heads = styles.chain((style) =>
      fc.record({
        style: fc.constant(style),
        head: fc.record({
          command: uint16,
          flags: uint16,
          cookieHigh: int32,
          cookieLow: int32,
          offset: fc.maxSafeNat(),
          length: style === HeaderStyle.extended ? fc.maxSafeNat() : uint32,
        }),
      }),
    );
    fc.assert(
      fc.property(heads, place, (each, at) => {
        const bytes = Buffer.concat([Buffer.alloc(at), requestHead(each.head, each.style)]);
        expect(bytes).toHaveLength(at + requestLength(each.style));
        expect(bytes.readUInt32BE(at)).toBe(requestMagic(each.style));
        const decoded = newRequestHead();
        decodeRequestHead(viewOf(bytes), at, each.style, decoded);
        expect(decoded).toEqual(each.head);
      }),
    );
  });

  test("of 2^64 - 1 bytes are very long, not short or negative", () => {
    const bytes = Buffer.alloc(32, 0xff);
    const decoded = newRequestHead();
    decodeRequestHead(viewOf(bytes), 0, HeaderStyle.extended, decoded);
    expect(decoded.length).toBeGreaterThanOrEqual(2 ** 63);
    expect(decoded.offset).toBeGreaterThanOrEqual(2 ** 63);
  });

  test("have a payload as their form has it: writes, or what says so", () => {
    const length = 512;
    const { write, read } = Command;
    const flags = CommandFlag.payloadLength;
    const lengths = (style: HeaderStyle): number[] => [
      payloadLengthOf(style, { command: write, flags: 0, length }),
      payloadLengthOf(style, { command: write, flags, length }),
      payloadLengthOf(style, { command: read, flags: 0, length }),
      payloadLengthOf(style, { command: read, flags, length }),
    ];
    expect(lengths(HeaderStyle.simple)).toEqual([512, 512, 0, 0]);
    expect(lengths(HeaderStyle.structured)).toEqual([512, 512, 0, 0]);
    expect(lengths(HeaderStyle.extended)).toEqual([512, 512, 0, 512]);
  });
});

describe("replies", () => {
  const to = { cookieHigh: 1, cookieLow: -1, offset: 2 ** 33 + 7 };
  const data = { type: ChunkType.offsetData, flags: ChunkFlag.done };

  test("are 16 bytes in the simple form", () => {
    const bytes = new Uint8Array(16);
    encodeSimpleReply(viewOf(bytes), 0, -2, 3, 22);
    expect(hex(bytes)).toBe("67446698" + "00000016" + "fffffffe00000003");
  });

  test("are 20 bytes as structured chunks, 32 with the request's offset as extended ones", () => {
    const bytes = new Uint8Array(32);
    expect(encodeChunkHead(viewOf(bytes), 0, HeaderStyle.structured, to, data, 520)).toBe(20);
    expect(hex(bytes.subarray(0, 20))).toBe("668e33ef" + "0001" + "0001" + "00000001ffffffff" + "00000208");
    expect(encodeChunkHead(viewOf(bytes), 0, HeaderStyle.extended, to, data, 520)).toBe(32);
    expect(hex(bytes)).toBe(
      "6e8a278c" + "0001" + "0001" + "00000001ffffffff" + "0000000200000007" + "0000000000000208",
    );
  });

  test("that are chunks are read as they were written, and not before all of the head is there", () => {
    const chunkStyles = fc.constantFrom(HeaderStyle.structured, HeaderStyle.extended);
    const addressees = fc.record({ cookieHigh: int32, cookieLow: int32, offset: fc.maxSafeNat() });
    const kinds = fc.record({ type: uint16, flags: uint16 });
    fc.assert(
      fc.property(chunkStyles, addressees, kinds, uint32, place, (style, addressee, kind, payload, at) => {
        const bytes = new Uint8Array(at + 32);
        const length = encodeChunkHead(viewOf(bytes), at, style, addressee, kind, payload);
        expect(length).toBe(chunkHeadLength(style));
        const decoded = newReplyHead();
        expect(decodeReplyHead(viewOf(bytes), at, length - 1, style, decoded)).toBeNull();
        expect(decodeReplyHead(viewOf(bytes), at, length, style, decoded)).toBe(length);
        const offset = style === HeaderStyle.extended ? addressee.offset : 0;
        expect(decoded).toEqual({ ...addressee, ...kind, style, errno: 0, offset, payloadLength: payload });
      }),
    );
  });

  test("are simple where chunks are structured, too, but never beside extended ones", () => {
    const bytes = new Uint8Array(16);
    encodeSimpleReply(viewOf(bytes), 0, 4, 5, 28);
    const decoded = newReplyHead();
    for (const style of [HeaderStyle.simple, HeaderStyle.structured]) {
      expect(decodeReplyHead(viewOf(bytes), 0, 3, style, decoded)).toBeNull();
      expect(decodeReplyHead(viewOf(bytes), 0, 15, style, decoded)).toBeNull();
      expect(decodeReplyHead(viewOf(bytes), 0, 16, style, decoded)).toBe(16);
      expect(decoded).toMatchObject({ style: HeaderStyle.simple, errno: 28, cookieHigh: 4, cookieLow: 5 });
    }
    expect(decodeReplyHead(viewOf(bytes), 0, 16, HeaderStyle.extended, decoded)).toBe(false);
  });

  test("that start with anything else are none", () => {
    const others = uint32.filter((magic) => magic !== SIMPLE_REPLY_MAGIC);
    fc.assert(
      fc.property(others, (magic) => {
        const bytes = new Uint8Array(32);
        viewOf(bytes).setUint32(0, magic);
        expect(decodeReplyHead(viewOf(bytes), 0, 32, HeaderStyle.simple, newReplyHead())).toBe(false);
      }),
    );
  });
});
