import { fc, test } from "@fast-check/vitest";
import { describe, expect } from "vitest";
import { TextError, parseText } from "../src/text/parser.ts";
import type { ConfigScalar, ConfigSection, ConfigValue } from "../src/text/parser.ts";
import { isList, isSection, writeText } from "../src/text/writer.ts";

/** A section as nested plain lists: without offsets, which writing changes. */
function plain({ entries }: ConfigSection): unknown {
  return [...entries].map(([key, { value }]) => [key, isSection(value) ? plain(value) : value]);
}

const scalar: fc.Arbitrary<ConfigScalar> = fc.oneof(
  fc.maxSafeInteger().map((value) => value + 0),
  fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -(2n ** 63n), max: -(2n ** 53n) }),
  fc.stringMatching(/^-?[0-9]{1,5}\.[0-9]{0,5}$/).map((float) => ({ float })),
  fc.string({ unit: "binary" }).map((text) => text.replaceAll("\0", "")),
);
const key = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_.+-]{1,20}$/),
  fc.string({ maxLength: 12 }).map((text) => text.replaceAll("\0", "")),
);
const { section } = fc.letrec<{ section: ConfigSection; value: ConfigValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(scalar, { maxLength: 4 }),
    tie("section"),
  ),
  section: fc
    .uniqueArray(fc.tuple(key, tie("value")), { maxLength: 6, selector: ([name]) => name })
    .map((pairs) => ({
      entries: new Map(pairs.map(([name, value]) => [name, { value, offset: 0 }])),
      offset: 0,
    })),
}));

test.prop([section])("what was written is parsed to the same", (tree) => {
  const text = writeText(tree);
  expect(plain(parseText(text))).toEqual(plain(tree));
  expect(writeText(parseText(text))).toBe(text);
});

test("comments, single quotes, escapes, quoted keys, and lists over several lines with a comma at the end", () => {
  const tree = parseText(`# a comment
a = 1 # another
b='it "is" \\n raw'
"odd key" { c = "say \\"so\\" \\\\" }
d = [
  1, # one
  "x", 2.50,
]
empty = []
negative=-7`);
  expect(plain(tree)).toEqual([
    ["a", 1],
    ["b", 'it "is" \\n raw'],
    ["odd key", [["c", 'say "so" \\']]],
    ["d", [1, "x", { float: "2.50" }]],
    ["empty", []],
    ["negative", -7],
  ]);
  expect(isList(tree.entries.get("empty")!.value)).toBe(true);
});

test("keys know where they stand", () => {
  const text = "a = 1\nbc {\n  d = 2\n}\n";
  const tree = parseText(text);
  const inner = tree.entries.get("bc")!.value as ConfigSection;
  expect(text.slice(inner.entries.get("d")!.offset)).toMatch(/^d = 2/);
});

describe("is refused with line and column:", () => {
  const cases: readonly (readonly [string, string, number, number])[] = [
    ["a section that does not end", "a {\n b = 1\n", 1, 3],
    ["an end without a beginning", "a = 1\n}", 2, 1],
    ["a key without a value", "a = 1\nb", 2, 2],
    ["a value that is none", "a = 1\n b = what", 2, 6],
    ["a number with letters", "a = 12x", 1, 5],
    ["a number of more than 64 bits", "a = 9223372036854775808", 1, 5],
    ["a number of 100 digits", `a = ${"9".repeat(100)}`, 1, 5],
    ["a number of 1,000 digits", `a = ${"9".repeat(1000)}`, 1, 5],
    ["a string that does not end", 'a = 1\n\nb = "x\n\n', 3, 5],
    ["a string that ends in a backslash", 'a = "x\\', 1, 5],
    ["a list that does not end", "a = [1, 2", 1, 5],
    ["a list without commas", "a = [1 2]", 1, 8],
    ["a list in a list", "a = [[1]]", 1, 6],
    ["a key that stands twice", "a = 1\nb { c = 1\n c = 2 }", 3, 2],
    ["a NUL", "a = 1\n\0", 2, 1],
    ["a NUL in a string", 'a = "x\0"', 1, 5],
    ["a NUL behind a backslash", 'a = "x\\\0"', 1, 5],
  ];
  test.each(cases)("%s", (_, text, line, column) => {
    expect(() => parseText(text)).toThrow(expect.objectContaining({ name: "TextError", line, column }));
  });

  test("sections nested 10,000 deep, at the 33rd", () => {
    const text = "a {\n".repeat(10_000) + "}".repeat(10_000);
    expect(() => parseText(text)).toThrow(expect.objectContaining({ line: 33, column: 3 }));
    expect(() => parseText("a {\n".repeat(32) + "}".repeat(32))).not.toThrow();
  });
});

test("megabytes of one comment, string, list or space are parsed without deep recursion", () => {
  const length = 2_000_000;
  expect(plain(parseText("#\n".repeat(length)))).toEqual([]);
  expect(plain(parseText(`a = "${"\\x".repeat(length)}"`))).toEqual([["a", "x".repeat(length)]]);
  const list = parseText(`a = [${"1,".repeat(length)}]`).entries.get("a")!.value;
  expect(isList(list) && list.length).toBe(length);
});

test.prop([fc.string({ unit: "binary" }), fc.nat(), fc.nat()])(
  "whatever is put into a text, it is parsed or refused with a place",
  (junk, at, removed) => {
    const text = 'vg {\nid = "x"\nlist = ["a", 1]\n}\nversion = 1\n';
    const cut = at % text.length;
    const spoiled = text.slice(0, cut) + junk + text.slice(cut + (removed % 8));
    try {
      parseText(spoiled);
    } catch (error) {
      expect(error).toBeInstanceOf(TextError);
      const { line, column, offset } = error as TextError;
      expect(
        spoiled
          .split("\n")
          .slice(0, line - 1)
          .join("\n").length +
          (line > 1 ? 1 : 0) +
          column -
          1,
      ).toBe(offset);
    }
  },
);
