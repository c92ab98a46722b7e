import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CHEAP, IMAGE, cryptFolder, hasCryptsetup, luksFolder } from "./crypt-helpers.ts";
import { cev, shellCommand } from "./helpers.ts";
import { hasPty, runAtTerminal } from "./pty.ts";
import type { PtyEnded, Step } from "./pty.ts";

/** Runs `cev crypt` at a terminal. */
function atTerminal(cwd: string, words: readonly string[], steps: readonly Step[]): Promise<PtyEnded> {
  return runAtTerminal(["sh", "-c", `cd '${cwd}' && exec ${shellCommand} crypt "$@"`, "sh", ...words], steps);
}

const YES_PROMPT = "(Type 'yes' in capital letters): ";

describe.skipIf(!hasPty)("at a terminal", () => {
  test("a device is made after YES, with a passphrase that is typed twice and seen by nobody", async () => {
    const { cwd, file, judge } = cryptFolder();
    file("typed", "correct horse");
    const ended = await atTerminal(
      cwd,
      ["luksFormat", ...CHEAP, IMAGE],
      [
        { seen: YES_PROMPT, typed: "YES\r" },
        { seen: `Enter passphrase for ${IMAGE}: `, typed: "correct horse\r" },
        { seen: "Verify passphrase: ", typed: "correct horse\r" },
      ],
    );
    expect(ended).toMatchObject({ status: 0, isAsBefore: true });
    expect(ended.shown).toMatch(/overwrite data on disk\.img irrevocably/);
    expect(ended.shown).not.toContain("horse");
    if (hasCryptsetup) judge(["open", "--test-passphrase", "-d", "typed", IMAGE]);
  });

  test("nothing is written where the answer is not YES, or the passphrases differ", async () => {
    const { cwd } = cryptFolder();
    const refused = await atTerminal(
      cwd,
      ["luksFormat", ...CHEAP, IMAGE],
      [{ seen: YES_PROMPT, typed: "yes\r" }],
    );
    expect(refused).toMatchObject({ status: 1, isAsBefore: true });
    expect(refused.shown).toMatch(/nothing was changed: the answer was not YES/);
    const differing = await atTerminal(
      cwd,
      ["luksFormat", "-q", ...CHEAP, IMAGE],
      [
        { seen: `Enter passphrase for ${IMAGE}: `, typed: "one\r" },
        { seen: "Verify passphrase: ", typed: "other\r" },
      ],
    );
    expect(differing).toMatchObject({ status: 1, isAsBefore: true });
    expect(readFileSync(join(cwd, IMAGE)).every((byte) => byte === 0)).toBe(true);
  });

  test("a wrong passphrase may be typed again, also ahead of the prompt", async () => {
    const { cwd } = await luksFolder();
    const ended = await atTerminal(
      cwd,
      ["open", "--test-passphrase", IMAGE],
      [{ seen: `Enter passphrase for ${IMAGE}: `, typed: "wrong\rkey a\r" }],
    );
    expect(ended).toMatchObject({ status: 0, isAsBefore: true });
    expect(ended.shown).toMatch(/no key available with this passphrase/);
    expect(ended.shown).toContain("Key slot 0 unlocked.");
    expect(ended.shown).not.toContain("key a\r");
  });
});

describe("standard input that is no terminal", () => {
  test("has a line for each prompt", async () => {
    const { cwd, crypt } = await luksFolder();
    const input = Buffer.from("key a\nkey b\n");
    expect(await cev(["crypt", "luksAddKey", IMAGE, ...CHEAP], { cwd, input })).toMatchObject({
      status: 0,
      stderr: "",
    });
    expect(await crypt("open", "--test-passphrase", "-d", "b", IMAGE)).toMatchObject({ status: 0 });
  });

  test("is a key to its last byte with --key-file -", async () => {
    const { cwd, file, crypt } = cryptFolder();
    const input = Buffer.from("first\nsecond\n");
    file("whole", input);
    const words = ["crypt", "luksFormat", "-q", ...CHEAP, IMAGE, "--key-file", "-"];
    expect(await cev(words, { cwd, input })).toMatchObject({ status: 0, stderr: "" });
    expect(await crypt("open", "--test-passphrase", "-d", "whole", IMAGE)).toMatchObject({ status: 0 });
  });

  test("that is empty is no passphrase", async () => {
    const { cwd } = await luksFolder();
    const ended = await cev(["crypt", "open", "--test-passphrase", IMAGE], { cwd });
    expect(ended.status).toBe(1);
    expect(ended.stderr).toMatch(/it is empty, and a key is expected/);
  });
});

describe("a part of a key file", () => {
  test("is a key, and one that is not there is refused", async () => {
    const { crypt, file } = await luksFolder();
    file("long", "..key a..");
    const words = ["open", "--test-passphrase", IMAGE, "-d", "long", "--keyfile-offset", "2"];
    expect(await crypt(...words, "--keyfile-size", "5")).toMatchObject({ status: 0 });
    const short = await crypt(...words, "--keyfile-size", "50");
    expect(short.status).toBe(1);
    expect(short.stderr).toMatch(/ends after 7 of the 50 bytes/);
  });

  test("without the newline that an editor leaves is a passphrase", async () => {
    const { crypt, file } = await luksFolder();
    file("edited", "key a\n");
    expect(await crypt("open", "--test-passphrase", IMAGE, "-d", "edited")).toMatchObject({ status: 1 });
    const words = ["open", "--test-passphrase", IMAGE, "--passphrase-file", "edited"];
    expect(await crypt(...words)).toMatchObject({ status: 0 });
  });
});
