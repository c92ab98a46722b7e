import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { LineBuffer, TYPED_LENGTH_MAX } from "../src/keys/line-buffer.ts";
import { hasPty, runAtTerminal } from "./pty.ts";
import type { PtyEnded, Step } from "./pty.ts";

const TERMINAL = join(import.meta.dirname, "../src/keys/terminal.ts");

/** Asks so many times; says each time what was typed. */
const asks = (times: number): string => `
const { Terminal } = await import(${JSON.stringify(TERMINAL)});
using terminal = Terminal.anywhere();
for (let at = 1; at <= ${times}; at++) {
  try {
    const answer = await terminal.ask({ prompt: "Secret " + at + "? ", isHidden: true });
    console.log("got " + Buffer.from(answer).toString("hex") + ".");
  } catch (error) {
    console.log("threw " + error.code + ".");
  }
  if (${times} > 1) await terminal.ask({ prompt: "Next? ", isHidden: false });
}
`;

const NODE = [process.execPath, "--conditions=@cev/source", "--disable-warning=ExperimentalWarning"];
const nodeAsks = (times: number): string[] => [...NODE, "--input-type=module", "-e", asks(times)];
const ask = (times: number, steps: readonly Step[], input?: string): Promise<PtyEnded> =>
  runAtTerminal(nodeAsks(times), steps, input);

const hex = (text: string): string => Buffer.from(text).toString("hex");

describe.skipIf(!hasPty)("a prompt", () => {
  test("shows nothing of what is typed, can be corrected, suspended and ended, and leaves the terminal as it was", async () => {
    const quoted = nodeAsks(6).map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`);
    const shell = [
      "sh",
      "-c",
      `set -m; ${quoted.join(" ")}; echo suspended; stty -a; read line; fg >/dev/null`,
    ];
    const look = { seen: "Next? ", typed: "\r", isLooked: true };
    const ended = await runAtTerminal(shell, [
      { seen: "Secret 1? ", typed: "se\u{1a}" },
      { seen: "suspended", typed: "\r", isLooked: true },
      { seen: "Secret 1? ", typed: "cret\r" },
      look,
      { seen: "Secret 2? ", typed: "wrong\u{15}s\u{e4}\u{7f}ecre\u{8}et\r" },
      look,
      { seen: "Secret 3? ", typed: "two wrong  \u{17}words\u{16}\u{3}\r" },
      look,
      { seen: "Secret 4? ", typed: "half\u{3}" },
      look,
      { seen: "Secret 5? ", typed: "half\u{1c}" },
      look,
      { seen: "Secret 6? ", typed: "\u{4}" },
      look,
    ]);
    expect(ended).toMatchObject({ status: 0, isAsBefore: true });
    expect(ended.looks).toEqual([true, true, true, true, true, true, true]);
    const results = [...ended.shown.matchAll(/got [0-9a-f]*|threw \w+/g)].map(([result]) => result);
    const cancelled = "threw CEV_CANCELLED";
    expect(results).toEqual([
      ...["secret", "secret", "two words\u{3}"].map((text) => `got ${hex(text)}`),
      ...[cancelled, cancelled, cancelled],
    ]);
    for (const typed of ["wrong", "words", "half"]) expect(ended.shown).not.toContain(typed);
  });

  test("asks at the terminal also where standard input is a pipe", async () => {
    const ended = await ask(1, [{ seen: "Secret 1? ", typed: "typed\r" }], "piped\n");
    expect(ended.shown).toContain(`got ${hex("typed")}.`);
    expect(ended).toMatchObject({ status: 0, isAsBefore: true });
  });

  test("that is ended by a signal leaves the terminal as it was", async () => {
    const ended = await ask(1, [{ seen: "Secret 1? ", signal: 15 }]);
    expect(ended.status).not.toBe(0);
    expect(ended.isAsBefore).toBe(true);
  });
});

describe("a line being typed", () => {
  test("loses whole characters and words, and is gone when it is wiped", () => {
    const line = new LineBuffer();
    for (const byte of Buffer.from("a\u{e4}\u{1f511}")) line.push(byte);
    line.erase();
    expect(Buffer.from(line.take()).toString()).toBe("a\u{e4}");
    line.erase();
    expect(Buffer.from(line.take()).toString()).toBe("a");
    line.eraseWord();
    expect(line.take()).toHaveLength(0);
    for (const byte of Buffer.from("two \u{e4} \t")) line.push(byte);
    line.eraseWord();
    expect(Buffer.from(line.take()).toString()).toBe("two ");
    line.wipe();
    line.erase();
    line.eraseWord();
    expect(line.take()).toHaveLength(0);
  });

  test("is refused, not cut off, where it is too long", () => {
    const line = new LineBuffer();
    for (let at = 0; at < TYPED_LENGTH_MAX; at++) line.push(0x61);
    expect(() => line.push(0x61)).toThrow(/more than 512 bytes/);
    expect(line.take()).toHaveLength(TYPED_LENGTH_MAX);
  });
});
