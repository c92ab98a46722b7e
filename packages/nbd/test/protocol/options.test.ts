import { Buffer } from "node:buffer";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  decodeExportNameReply,
  decodeGreeting,
  encodeClientFlags,
  encodeExportNameReply,
  encodeGreeting,
} from "../../src/protocol/greeting.ts";
import {
  decodeInfo,
  decodeInfoRequest,
  encodeBlockSizeInfo,
  encodeExportInfo,
  encodeInfoRequest,
  encodeTextInfo,
} from "../../src/protocol/option-info.ts";
import {
  decodeMetaContext,
  decodeMetaRequest,
  encodeMetaContext,
  encodeMetaRequest,
} from "../../src/protocol/option-meta.ts";
import {
  decodeOptionHead,
  decodeOptionReplyHead,
  decodeServerData,
  encodeOption,
  encodeOptionReply,
  encodeServerData,
} from "../../src/protocol/option.ts";
import { decodeString, encodeString, textForPeople } from "../../src/protocol/strings.ts";
import { clientFlags, infoData, option, parseOptionAnswers } from "../support/messages.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
const text = fc
  .string({ unit: "grapheme", maxLength: 20 })
  .filter((name) => !name.includes("\0") && name.isWellFormed());
const noise = fc.uint8Array({ maxLength: 60 });

describe("the first bytes", () => {
  test("of a server are two magic numbers and what it offers", () => {
    const bytes = encodeGreeting();
    expect(hex(bytes)).toBe("4e42444d41474943" + "49484156454f5054" + "0003");
    expect(decodeGreeting(viewOf(bytes), 0)).toEqual({ kind: "newstyle", flags: 3 });
  });

  test("of a server of the old style are known as such", () => {
    const old = Buffer.from("4e42444d41474943" + "0000420281861253" + "0000", "hex");
    expect(decodeGreeting(viewOf(old), 0)).toEqual({ kind: "oldstyle" });
  });

  test("of something else are nothing that is known", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 18, maxLength: 18 }), (bytes) => {
        expect(decodeGreeting(viewOf(bytes), 0)).toEqual({ kind: "unknown" });
      }),
    );
    const half = encodeGreeting().fill(0, 8, 16);
    expect(decodeGreeting(viewOf(half), 0)).toEqual({ kind: "unknown" });
  });

  test("of a client are its flags", () => {
    expect(Buffer.compare(encodeClientFlags(3), clientFlags(3))).toBe(0);
  });
});

describe("options", () => {
  test("and their answers are read as they were written", () => {
    const data = Uint8Array.of(1, 2, 3);
    const asked = encodeOption(9, data);
    expect(Buffer.compare(asked, option(9, data))).toBe(0);
    expect(decodeOptionHead(viewOf(asked), 0)).toEqual({ option: 9, dataLength: 3 });
    const answered = encodeOptionReply(7, 0x80000006, data);
    expect(hex(answered)).toBe("0003e889045565a9" + "00000007" + "80000006" + "00000003" + "010203");
    expect(parseOptionAnswers(Buffer.from(answered))).toHaveLength(1);
    const head = { option: 7, reply: 0x80000006, dataLength: 3 };
    expect(decodeOptionReplyHead(viewOf(answered), 0)).toEqual(head);
  });

  test("without their magic number are none", () => {
    expect(decodeOptionHead(new DataView(new ArrayBuffer(16)), 0)).toBeNull();
    expect(decodeOptionReplyHead(new DataView(new ArrayBuffer(20)), 0)).toBeNull();
  });

  test("entries of a list are name and description, as bytes", () => {
    const bytes = encodeServerData(Buffer.from("ab"), Buffer.from("c"));
    expect(hex(bytes)).toBe("00000002" + "6162" + "63");
    const { name, description } = decodeServerData(bytes)!;
    expect([hex(name), hex(description)]).toEqual(["6162", "63"]);
    for (const bad of [Buffer.alloc(3), Buffer.from("0000000361", "hex")])
      expect(decodeServerData(bad)).toBeNull();
  });

  test("the answer to an export's name has its size and flags, and zeroes for those that want them", () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.nat({ max: 0xffff }), fc.boolean(), (size, flags, hasZeroes) => {
        const bytes = encodeExportNameReply(size, flags, hasZeroes);
        expect(bytes).toHaveLength(hasZeroes ? 134 : 10);
        expect(decodeExportNameReply(viewOf(bytes), 0)).toEqual({ size, flags });
      }),
    );
  });
});

describe("information on an export", () => {
  test("is asked for as the document has it; whatever else comes is refused, not misread", () => {
    const types = fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 5 });
    fc.assert(
      fc.property(text, types, (name, infoTypes) => {
        const data = infoData(name, infoTypes);
        expect(Buffer.compare(encodeInfoRequest(Buffer.from(name), infoTypes), data)).toBe(0);
        expect(decodeInfoRequest(data)).toEqual({ name, infoTypes });
        expect(decodeInfoRequest(Buffer.concat([data, Buffer.alloc(1)]))).toBeNull();
        expect(decodeInfoRequest(data.subarray(0, -1))).toBeNull();
      }),
    );
    fc.assert(fc.property(noise, (data) => void decodeInfoRequest(data)));
  });

  test("is read as it was written, past 2^32 bytes too", () => {
    const info = encodeExportInfo(2 ** 40 + 5, 0x0103);
    expect(hex(info)).toBe("0000" + "0000010000000005" + "0103");
    expect(decodeInfo(info)).toEqual({ kind: "export", size: 2 ** 40 + 5, flags: 0x0103 });
    const sizes = { minimum: 512, preferred: 4096, payloadMax: 33_554_432 };
    const blocks = encodeBlockSizeInfo(sizes);
    expect(hex(blocks)).toBe("0003" + "00000200" + "00001000" + "02000000");
    expect(decodeInfo(blocks)).toEqual({ kind: "blockSize", sizes });
    const name = Buffer.from("ab");
    expect(decodeInfo(encodeTextInfo(1, name))).toEqual({ kind: "name", text: new Uint8Array(name) });
    expect(decodeInfo(encodeTextInfo(2, name))).toEqual({ kind: "description", text: new Uint8Array(name) });
    expect(decodeInfo(encodeTextInfo(77, name))).toEqual({ kind: "unknown", type: 77 });
  });

  test("of a wrong length is refused", () => {
    for (const whole of [
      encodeExportInfo(1, 1),
      encodeBlockSizeInfo({ minimum: 1, preferred: 1, payloadMax: 1 }),
    ]) {
      expect(decodeInfo(whole.subarray(0, -1))).toBeNull();
      expect(decodeInfo(Buffer.concat([whole, Buffer.alloc(1)]))).toBeNull();
    }
    expect(decodeInfo(Buffer.alloc(1))).toBeNull();
  });
});

describe("metadata contexts", () => {
  test("are asked for as the document has it", () => {
    const bytes = encodeMetaRequest({ name: "d", queries: ["base:", "x:y"] });
    expect(hex(bytes)).toBe("0000000164" + "00000002" + "00000005626173653a" + "00000003783a79");
    expect(hex(encodeMetaRequest({ name: "", queries: [] }))).toBe("00000000" + "00000000");
  });

  test("are read as they were written; whatever else comes is refused, not misread", () => {
    fc.assert(
      fc.property(text, fc.array(text, { maxLength: 4 }), (name, queries) => {
        const data = encodeMetaRequest({ name, queries });
        expect(decodeMetaRequest(data)).toEqual({ name, queries });
        expect(decodeMetaRequest(Buffer.concat([data, Buffer.alloc(1)]))).toBeNull();
        for (let length = 0; length < data.length; length += 3)
          expect(decodeMetaRequest(data.subarray(0, length))).toBeNull();
      }),
    );
    fc.assert(fc.property(noise, (data) => void decodeMetaRequest(data)));
  });

  test("2^32 - 1 announced queries are no reason to believe in them", () => {
    expect(decodeMetaRequest(Buffer.from("00000000ffffffff", "hex"))).toBeNull();
  });

  test("are answered by a number and a name", () => {
    const bytes = encodeMetaContext(3, "base:allocation");
    expect(hex(bytes.subarray(0, 4))).toBe("00000003");
    expect(decodeMetaContext(bytes)).toEqual({ id: 3, name: "base:allocation" });
    expect(decodeMetaContext(bytes.subarray(0, 3))).toBeNull();
    expect(decodeMetaContext(Buffer.from("00000001ff", "hex"))).toBeNull();
  });
});

describe("strings", () => {
  test("are UTF-8 without zeroes, of at most 4096 bytes", () => {
    expect(decodeString(Buffer.from("größe"))).toBe("größe");
    expect(decodeString(Buffer.from("\uFEFFx"))).toBe("\uFEFFx");
    expect(decodeString(Buffer.alloc(4096, 97))).toHaveLength(4096);
    for (const bad of [Buffer.alloc(4097, 97), Buffer.from([0xc0]), Buffer.from("a\0")])
      expect(decodeString(bad)).toBeNull();
    expect(() => encodeString("a\0", "it")).toThrow("it has 2 bytes");
    expect(() => encodeString("ö".repeat(2049), "it")).toThrow("it has 4098 bytes");
  });

  test("of the other side are shown without what a terminal would do", () => {
    expect(textForPeople(Buffer.from("größe"))).toBe("größe");
    expect(textForPeople(Buffer.from("a\u001b[2J\n"))).toBe(String.raw`a\u{1b}[2J\u{a}`);
    expect(textForPeople(Buffer.from([0x61, 0xff]))).toBe(String.raw`a\xff`);
  });
});
