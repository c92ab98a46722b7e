import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CEV_COMMAND } from "../src/cev.ts";
import { run } from "../src/run.ts";

const guide = readFileSync(resolve(import.meta.dirname, "../../../docs/test-kit.md"), "utf8");

/** Each with the language and the file name behind its fence. */
const blocks = [...guide.matchAll(/^```(\w+)(?: title=(\S+))?\n([^]*?)^```$/gmu)].map(
  ([, language = "", title = "", text = ""]) => ({ language, title, text }),
);
const programs = blocks.flatMap(({ language, title, text }, index) =>
  language === "js" ? [{ title, text, prints: blocks[index + 1]!.text }] : [],
);
/** The lines of a command and what it says, in their order. */
const sessions = blocks
  .filter(({ language }) => language === "console")
  .flatMap(({ text }) => text.split(/^\$ /mu).slice(1))
  .map((text) => {
    const end = text.indexOf("\n");
    return { command: text.slice(0, end), says: text.slice(end + 1) };
  });

describe("docs/test-kit.md", () => {
  let folder: string;

  beforeAll(() => {
    // Where programs find the packages by their names.
    const caches = resolve(import.meta.dirname, "../node_modules/.cache");
    mkdirSync(caches, { recursive: true });
    folder = mkdtempSync(join(caches, "guide-"));
    for (const { title, text } of blocks) if (title !== "") writeFileSync(join(folder, title), text);
    const words = [process.execPath, ...CEV_COMMAND].map((word) => `'${word}'`);
    writeFileSync(join(folder, "cev"), `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`);
    chmodSync(join(folder, "cev"), 0o755);
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test("has programs that print what it says", async () => {
    expect(programs.length).toBe(4);
    const options = CEV_COMMAND.slice(0, -1);
    for (const { title, prints } of programs) {
      const { stdout, stderr } = await run(process.execPath, [...options, join(folder, title)]);
      expect({ title, text: stderr + stdout }).toEqual({ title, text: prints });
    }
  });

  test("has commands that say what it says", async () => {
    expect(sessions.length).toBe(5);
    for (const { command, says } of sessions) {
      const script = `cd '${folder}'; PATH='${folder}':$PATH; ${command}`;
      const { stdout, stderr } = await run("sh", ["-c", script]);
      expect({ command, text: stderr + stdout }).toEqual({ command, text: says });
    }
  });
});
