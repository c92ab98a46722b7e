import { randomBytes } from "node:crypto";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CleanDirectory } from "../clean-directory.ts";

const TIMEOUT_MS = 300_000;
const SIZE = 1_048_576;
const START = 4096;

let directory: CleanDirectory;
beforeAll(async () => {
  directory = await CleanDirectory.make();
}, TIMEOUT_MS);
afterAll(() => directory[Symbol.asyncDispose]());

/** Runs a command that has to succeed, and returns what it printed. */
async function succeed(command: string, folder = "."): Promise<string> {
  const { status, output } = await directory.run(command, folder);
  expect(output).not.toContain("npm error");
  expect(status, output).toBe(0);
  return output;
}

const styles = [
  { style: "actions", folder: "my-layer", name: "my-layer", words: "my-layer" },
  {
    style: "async",
    folder: "other",
    name: "@me/cev-other",
    words: "other -- --style async --name @me/cev-other",
  },
];

describe.each(styles)("npm create cev-layer, in the style of $style", ({ style, folder, name, words }) => {
  test(
    "makes a package, installs it, and all of its tests pass",
    async () => {
      const created = await succeed(`npm create cev-layer ${words}`);
      expect(created).toContain(
        `${name}: 12 files, a layer in the style of ${style}\nnext:\n  cd ${folder}\n`,
      );
      // Both ask for the same: the second one takes it from the first.
      if (style === "actions") expect(await succeed("npm install", folder)).toMatch(/added \d+ packages/);
      else
        symlinkSync(
          join(directory.folder, "my-layer/node_modules"),
          join(directory.folder, folder, "node_modules"),
        );
      const tested = await succeed("npm test", folder);
      expect(tested).toMatch(/^ℹ fail 0$/m);
      const [, passed] = /^ℹ pass (\d+)$/m.exec(tested) ?? [];
      expect(Number(passed)).toBeGreaterThan(60);
    },
    TIMEOUT_MS,
  );

  test("is found by its own name in its stack file, and keeps what is written", async () => {
    const bytes = randomBytes(SIZE - START);
    writeFileSync(join(directory.folder, folder, "in.bin"), bytes);
    // The first as the README says, the others without npm around them.
    const copy = "cev copy stack.yaml --device rest";
    await succeed(`npx ${copy} --from in.bin && node_modules/.bin/${copy} --to out.bin`, folder);
    expect(readFileSync(join(directory.folder, folder, "out.bin")).equals(bytes)).toBe(true);
    const disk = readFileSync(join(directory.folder, folder, "disk.img"));
    expect(disk.subarray(START).equals(bytes)).toBe(true);
    expect(disk.subarray(0, START).every((byte) => byte === 0)).toBe(true);
  });
});

test("its documentation is made from its schema, and is what its README says", async () => {
  const table = (await succeed("npm run --silent docs", "my-layer")).trim();
  expect(table).toContain("| `start` |");
  expect(readFileSync(join(directory.folder, "my-layer/README.md"), "utf8")).toContain(table);
});

test("a folder that is not empty is refused in one line", async () => {
  const { status, output } = await directory.run("npm create cev-layer my-layer");
  expect(output).toMatch(/^create-cev-layer: .*my-layer is not empty: it holds /m);
  expect(status).not.toBe(0);
});
