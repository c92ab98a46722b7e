import type { Details } from "@cev/core";
import { expect, test } from "vitest";
import { optionsMarkdown } from "../src/index.ts";
import { driverOf } from "./helpers.ts";

const rows = (properties: Details, others: Details = {}): string[] =>
  optionsMarkdown(driverOf({ name: "x", optionsSchema: { type: "object", properties, ...others } }))
    .split("\n")
    .slice(2);

test.each<[string, Details, string]>([
  ["texts", { type: "string", description: "A name" }, "| `a` | text | | A name. |"],
  ["flags", { type: "boolean", default: false }, "| `a` | true or false | `false` | |"],
  ["bounds", { type: "integer", minimum: 1, maximum: 1024 }, "| `a` | whole number, 1 to 1,024 | | |"],
  [
    "bounds that nobody reaches",
    { type: "integer", minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
    "| `a` | whole number, at least 0 | | |",
  ],
  ["upper bounds", { type: "number", maximum: 5 }, "| `a` | number, at most 5 | | |"],
  ["multiples", { type: "integer", multipleOf: 512 }, "| `a` | whole number, a multiple of 512 | | |"],
  ["choices", { enum: ["b", 1] }, "| `a` | `b`, `1` | | |"],
  [
    "long rows of numbers",
    { enum: [1, 2, 4, 8, 16, 32, 64, 128, 256] },
    "| `a` | `1`, `2`, `4`, …, `256` | | |",
  ],
  ["several types", { type: ["string", "integer"] }, "| `a` | text or whole number | | |"],
  [
    "lists",
    { type: "array", items: { type: "integer", minimum: 0 } },
    "| `a` | list: whole number, at least 0 | | |",
  ],
  [
    "lists of lists",
    { type: "array", items: { type: "array", minItems: 2, maxItems: 2, items: { type: "string" } } },
    "| `a` | list: list of 2: text | | |",
  ],
  ["lists of anything", { type: "array" }, "| `a` | list | | |"],
  [
    "alternatives",
    { anyOf: [{ type: "string" }, { type: "integer" }, { const: false }] },
    "| `a` | text or whole number or `false` | | |",
  ],
  [
    "lengths",
    { type: "integer", default: 67_108_864, description: "Bytes of memory." },
    "| `a` | whole number | `67108864` (64 MiB) | Bytes of memory. |",
  ],
  ["what would end a cell", { type: "string", description: "a|b\n c" }, "| `a` | text | | a\\|b c. |"],
  ["what nobody described", {}, "| `a` | anything | | |"],
])("a table of options tells of %s", (_what, option, row) => {
  expect(rows({ a: option })).toEqual([row]);
});

test("a table of options tells what is needed, and what is within options", () => {
  const inner = {
    type: "object",
    required: ["b"],
    properties: { b: { type: "string" }, c: { type: "string" } },
  };
  expect(rows({ a: inner, l: { type: "array", items: inner } }, { required: ["l"] })).toEqual([
    "| `a` | object | | |",
    "| `a.b` | text | required | |",
    "| `a.c` | text | | |",
    "| `l` | list: object | required | |",
    "| `l[].b` | text | required | |",
    "| `l[].c` | text | | |",
  ]);
});

test("a table of options follows references, and none in a circle", () => {
  const $defs = { node: { type: "object", properties: { next: { $ref: "#/$defs/node" } } } };
  expect(rows({ size: { $ref: "#/$defs/size" } }, { $defs: { size: { type: "integer" } } })).toEqual([
    "| `size` | whole number | | |",
  ]);
  expect(rows({ a: { $ref: "#/$defs/node" } }, { $defs }).length).toBeLessThan(10);
});

test("a driver without options has no table", () => {
  expect(optionsMarkdown(driverOf({ name: "x" }))).toBe("The driver `x` takes no options of its own.");
  const mute = driverOf({ name: "x", optionsSchema: { type: "object" } });
  expect(optionsMarkdown(mute)).toMatch(/does not say which options it takes/);
});
