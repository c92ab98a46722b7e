import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { LineBuffer, TYPED_LENGTH_MAX } from "../src/keys/line-buffer.ts";
import { hasPty, runAtTerminal } from "./pty.ts";
import type { PtyEnded, Step } from "./pty.ts";

const TERMINAL = join(import.meta.dirname, "../src/keys/terminal.ts");

/** Asks, says what was typed, and how long the answer is. */
const ASKS = `
const { Terminal } = await import(${JSON.stringify(TERMINAL)});
try {
  using terminal = Terminal.anywhere();
  const answer = await terminal.ask({ prompt: "Secret? ", isHidden: true });
  console.log("got " + Buffer.from(answer).toString("hex") + ".");
} catch (error) {
  console.log("threw " + error.code + ".");
}
`;

function ask(steps: readonly Step[], input?: string): Promise<PtyEnded> {
  const node = [process.execPath, "--conditions=@cev/source", "--disable-warning=ExperimentalWarning"];
  return runAtTerminal([...node, "--input-type=module", "-e", ASKS], steps, input);
}

const hex = (text: string): string => Buffer.from(text).toString("hex");

describe.skipIf(!hasPty)("a prompt", () => {
  test("shows nothing of what is typed, knows Backspace and Ctrl-U, and leaves the terminal as it was", async () => {
    const ended = await ask([{ seen: "Secret? ", typed: "wrong\u{15}s\u{e4}\u{7f}ecre\u{8}et\r" }]);
    expect(ended).toMatchObject({ status: 0, isAsBefore: true });
    expect(ended.shown).toContain(`got ${hex("secret")}.`);
    expect(ended.shown).not.toContain("wrong");
    expect(ended.shown).not.toContain("secret");
  });

  test("asks at the terminal also where standard input is a pipe", async () => {
    const ended = await ask([{ seen: "Secret? ", typed: "typed\r" }], "piped\n");
    expect(ended.shown).toContain(`got ${hex("typed")}.`);
    expect(ended).toMatchObject({ status: 0, isAsBefore: true });
  });

  test("is ended by Ctrl-C", async () => {
    const ended = await ask([{ seen: "Secret? ", typed: "half\u{3}" }]);
    expect(ended.shown).toContain("threw CEV_CANCELLED.");
    expect(ended.shown).not.toContain("half");
    expect(ended).toMatchObject({ status: 0, isAsBefore: true });
  });

  test("that is ended by a signal leaves the terminal as it was", async () => {
    const ended = await ask([{ seen: "Secret? ", signal: 15 }]);
    expect(ended.status).not.toBe(0);
    expect(ended.isAsBefore).toBe(true);
  });
});

describe("a line being typed", () => {
  test("loses whole characters, and is gone when it is wiped", () => {
    const line = new LineBuffer();
    for (const byte of Buffer.from("a\u{e4}\u{1f511}")) line.push(byte);
    line.erase();
    expect(Buffer.from(line.take()).toString()).toBe("a\u{e4}");
    line.erase();
    expect(Buffer.from(line.take()).toString()).toBe("a");
    line.wipe();
    line.erase();
    expect(line.take()).toHaveLength(0);
  });

  test("is refused, not cut off, where it is too long", () => {
    const line = new LineBuffer();
    for (let at = 0; at < TYPED_LENGTH_MAX; at++) line.push(0x61);
    expect(() => line.push(0x61)).toThrow(/more than 512 bytes/);
    expect(line.take()).toHaveLength(TYPED_LENGTH_MAX);
  });
});
