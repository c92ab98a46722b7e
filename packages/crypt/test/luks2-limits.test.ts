import { describe, expect, test } from "vitest";
import { readLuks2Copies } from "../src/luks2/copies.ts";
import { encodeLuks2Header } from "../src/luks2/header.ts";
import { parseJsonText } from "../src/luks2/json-text.ts";

const COPY = 4 * 1024 * 1024;
const ALLOCATION_MAX = 8 * 1024 * 1024;
const TEXT_LENGTH = COPY - 4097;
const place = { source: "disk0.img", structure: "LUKS2 JSON area", byteOffset: 4096 };

/** An image with two header copies of 4 MiB, the largest there are, and a text of one's choice in both. */
function largeImage(json: string): Uint8Array {
  const image = new Uint8Array(2 * COPY);
  for (const isPrimary of [true, false]) {
    const headerOffset = isPrimary ? 0 : COPY;
    const header = {
      isPrimary,
      headerSize: COPY,
      sequenceId: 1n,
      label: "",
      checksumAlgorithm: "sha256",
      salt: new Uint8Array(64),
      uuid: "11111111-2222-4333-8444-555555555555",
      subsystem: "",
      headerOffset,
      checksum: new Uint8Array(0),
    };
    image.set(encodeLuks2Header(header, json), headerOffset);
  }
  return image;
}

function filled(start: string, piece: string, end: string): string {
  return `${start}${piece.repeat(Math.floor((TEXT_LENGTH - start.length - end.length) / piece.length))}${end}`;
}

describe("a header of 4 MiB whose checksum holds costs no more than 8 MiB before it is refused", () => {
  test.each([
    ["two million values", filled('{"a":[', "0,", "0]}")],
    ["arrays within arrays", filled('{"a":', "[", "")],
    ["arrays of one", filled('{"a":[', "[0],", "[0]]}")],
    ["empty objects", filled('{"a":[', "{},", "{}]}")],
    ["members of the same name", filled("{", '"a":{"b":[]},', '"c":0}')],
    ["one long name", filled('{"', "n", '":0}')],
    ["one long string", filled('{"a":"', "s", '"}')],
    ["one long number", filled('{"a":', "9", "}")],
    ["escapes", filled('{"a":"', "\\u00e9", '"}')],
  ])("%s", async (_name, json) => {
    const image = largeImage(json);
    // What is read are views: all that is allocated is the decoder's own.
    const source = {
      name: "disk0.img",
      size: image.length,
      read: (at: number, length: number): Promise<Uint8Array> =>
        Promise.resolve(image.subarray(at, at + length)),
    };
    const before = process.memoryUsage();
    const error = await readLuks2Copies(source).then(
      () => null,
      (reason: unknown) => reason,
    );
    const after = process.memoryUsage();
    expect(error).toMatchObject({ code: "CEV_BAD_METADATA" });
    const grown = after.heapUsed - before.heapUsed + (after.arrayBuffers - before.arrayBuffers);
    expect(grown).toBeLessThan(ALLOCATION_MAX);
  });
});

describe("a JSON text", () => {
  const parse = (text: string): unknown => parseJsonText(Buffer.from(text), place);

  test.each([
    ["[]", "[[]]"],
    ['{"a":1,"a":[true,false,null]}', "1e400"],
    ["-0", '"\\u00e9\\n"'],
  ])("%s and %s are JSON", (...texts) => {
    for (const text of texts) expect(() => parse(text)).not.toThrow();
  });

  test.each([
    "",
    "[01]",
    "1.",
    ".5",
    "+1",
    "1e",
    "-",
    "NaN",
    "nul",
    "'a'",
    '"\t"',
    '"\\x"',
    '"\\u12g4"',
    "[1,]",
    '{"a":1,}',
    "{a:1}",
    '{"a" 1}',
    '"',
    "[",
    '{"a\\u0000":1}',
  ])("%s is none", (text) => {
    expect(() => parse(text)).toThrow(expect.objectContaining({ code: "CEV_BAD_METADATA" }));
  });

  test("31 levels are read, 32 are not", () => {
    expect(() => parse(`${"[".repeat(31)}${"]".repeat(31)}`)).not.toThrow();
    expect(() => parse(`${"[".repeat(32)}${"]".repeat(32)}`)).toThrow(
      expect.objectContaining({ code: "CEV_BAD_METADATA" }),
    );
  });
});
