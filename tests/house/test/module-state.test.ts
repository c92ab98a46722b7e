import ts from "typescript";
import { describe, expect, test } from "vitest";
import { moduleState, timeAndChance } from "../module-state.ts";
import { packageNames, parse, sourcesOf } from "../source-files.ts";

// These stand at the edge of the system, where time and chance come from.
const edges = new Set(["cli", "create-cev-layer", "hw-file", "nbd"]);

const textOf = (found: string[]): string[] => found.map((one) => one.split(": ")[1] ?? "");
const source = (text: string): ts.SourceFile =>
  ts.createSourceFile("sample.ts", text, ts.ScriptTarget.ESNext, true);

describe.each(packageNames())("packages/%s", (name) => {
  const files = sourcesOf(name).map(parse);

  test("keeps nothing at module level", () => {
    expect(files.flatMap(moduleState)).toEqual([]);
  });

  if (edges.has(name)) return;
  test("takes time and chance from outside", () => {
    expect(files.flatMap(timeAndChance)).toEqual([]);
  });
});

test("a variable, an empty container and a static field are state; a table is not", () => {
  const sample = source(`
    let count = 0;
    const known = new Map<string, number>();
    const list: string[] = [];
    const table = [1, 2, 3];
    const names = new Map([["a", 1]]);
    declare const WebAssembly: unknown;
    class Counter { static total = 0; static readonly seen = new Set(); static readonly max = 4; field = []; }
    function work() { let local = 0; return local; }
  `);
  expect(textOf(moduleState(sample))).toEqual(["count", "known", "list", "total", "seen"]);
});

test("a clock, a timer and dice are found; parameters and members of the same name are not", () => {
  const sample = source(`
    const now = Date.now();
    const when = new Date();
    const given = new Date(now);
    setTimeout(() => 1, 5);
    scope.setTimeout(() => 1, 5);
    const { setImmediate } = scope;
    setImmediate(() => 1);
    const chance = Math.random();
    process.exit();
    randomBytes(4);
    environment.random(bytes);
  `);
  expect(textOf(timeAndChance(sample))).toEqual([
    "Date.now",
    "new Date()",
    "setTimeout",
    "Math.random",
    "process",
    "randomBytes(4)",
  ]);
});
