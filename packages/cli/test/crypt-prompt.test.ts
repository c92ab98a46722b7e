import { pbkdf2Sync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CHEAP, IMAGE, cryptFolder, hasCryptsetup, luksFolder } from "./crypt-helpers.ts";
import { cev } from "./helpers.ts";
import { run } from "./in-process.ts";
import { hasPty, runAtTerminal } from "./pty.ts";
import type { PtyEnded, Step } from "./pty.ts";

const MAIN = join(import.meta.dirname, "../src/main.ts");
const RUNS = `
const { main } = await import(${JSON.stringify(MAIN)});
const { Terminal } = await import(${JSON.stringify(join(import.meta.dirname, "../src/keys/terminal.ts"))});
for (const words of JSON.parse(process.argv[1])) {
  const status = await main(words);
  using terminal = Terminal.anywhere();
  await terminal.ask({ prompt: "[ended " + status + "]", isHidden: false });
}
`;

/** Runs `cev` several times, one after the other, at one terminal: a process of its own for each would take most of the time. */
function atTerminal(
  cwd: string,
  commands: readonly { readonly words: readonly string[]; readonly steps: readonly Step[] }[],
): Promise<PtyEnded> {
  const node = [process.execPath, "--conditions=@cev/source", "--disable-warning=ExperimentalWarning"];
  const given = JSON.stringify(commands.map(({ words }) => words));
  const shell = ["sh", "-c", `cd '${cwd}' && exec "$@"`, "sh"];
  const steps = commands.flatMap((one) => [
    ...one.steps,
    { seen: "[ended ", isLooked: true },
    { seen: "]", typed: "\r" },
  ]);
  return runAtTerminal([...shell, ...node, "--input-type=module", "-e", RUNS, given], steps);
}

const statusesOf = ({ shown }: PtyEnded): number[] =>
  [...shown.matchAll(/\[ended (\d)\]/g)].map(([, status]) => Number(status));

const YES_PROMPT = "(Type 'yes' in capital letters): ";
const ENTER = `Enter passphrase for ${IMAGE}: `;
const VERIFY = "Verify passphrase: ";

/** LUKS1 has the iterations of keyslot 0 here, and nothing checks them. */
const ITERATIONS_OFFSET = 212;
const SLOW_ITERATIONS = 99_000_000;

describe.skipIf(!hasPty)("at a terminal", () => {
  test("a device is made after YES, with a passphrase that is typed twice and seen by nobody", async () => {
    const { cwd, file, judge } = cryptFolder();
    writeFileSync(join(cwd, "other.img"), new Uint8Array(20 << 20));
    file("typed", "correct horse");
    const ended = await atTerminal(cwd, [
      {
        words: ["crypt", "luksFormat", ...CHEAP, IMAGE],
        steps: [
          { seen: YES_PROMPT, typed: "YES\r" },
          { seen: ENTER, typed: "correct horse\r" },
          { seen: VERIFY, typed: "correct horse\r" },
        ],
      },
      {
        words: ["crypt", "luksFormat", ...CHEAP, "other.img"],
        steps: [{ seen: YES_PROMPT, typed: "yes\r" }],
      },
      {
        words: ["crypt", "luksFormat", "-q", "-y", ...CHEAP, "other.img"],
        steps: [
          { seen: "for other.img: ", typed: "one\r" },
          { seen: VERIFY, typed: "other\r" },
        ],
      },
      {
        words: ["crypt", "open", "-v", "--test-passphrase", IMAGE],
        // The second one is typed ahead of its prompt.
        steps: [{ seen: ENTER, typed: "wrong\rcorrect horse\r" }],
      },
      {
        words: ["crypt", "open", "--test-passphrase", "--timeout", "1", IMAGE],
        steps: [{ seen: ENTER }, { seen: "nobody answered in time" }],
      },
      // A file is as wrong the second time.
      { words: ["crypt", "open", "--test-passphrase", "-d", "a", IMAGE], steps: [] },
      {
        words: ["crypt", "luksAddKey", "-q", ...CHEAP, IMAGE],
        steps: [
          { seen: "Enter any existing passphrase: ", typed: "correct horse\r" },
          { seen: "Enter new passphrase for key slot: ", typed: "once\r" },
        ],
      },
    ]);
    expect(ended.looks).toEqual(Array.from({ length: 7 }, () => true));
    expect(ended).toMatchObject({ status: 0, isAsBefore: true });
    expect(statusesOf(ended)).toEqual([0, 1, 1, 0, 1, 1, 0]);
    expect(ended.shown.split("no key available with this passphrase")).toHaveLength(2);
    expect(ended.shown).toMatch(/overwrite data on disk\.img irrevocably/);
    expect(ended.shown).toMatch(/nothing was changed: the answer was not YES/);
    expect(ended.shown).toContain("Key slot 0 unlocked.");
    expect(ended.shown).not.toContain("horse");
    expect(readFileSync(join(cwd, "other.img")).every((byte) => byte === 0)).toBe(true);
    if (hasCryptsetup) judge(["open", "--test-passphrase", "-d", "typed", IMAGE]);
  });

  test("copy and serve ask once, also for a device that is written, and Ctrl-C ends a derivation at once", async () => {
    const uuid = "12345678-1234-4234-8234-123456789abc";
    const { cwd, file } = await luksFolder("--type", "luks1", "--uuid", uuid);
    const slow = readFileSync(join(cwd, IMAGE));
    slow.writeUInt32BE(SLOW_ITERATIONS, ITERATIONS_OFFSET);
    file("slow.img", slow);
    file("in", "a line of text\n");
    const device = ["--device", `luks/${uuid}`];
    const asked = `Enter passphrase for luks/${uuid} on `;
    const typed = [{ seen: asked, typed: "key a\r" }];
    const ctrlC = "\u{3}";
    const derived = [...typed, { seen: `unlocking luks/${uuid} … `, typed: ctrlC }];
    const ended = await atTerminal(cwd, [
      { words: ["copy", IMAGE, ...device, "--from", "in"], steps: typed },
      {
        words: ["copy", IMAGE, ...device, "--to", "out"],
        steps: [{ seen: asked, typed: "wrong\r" }, { seen: "No key available" }, ...typed],
      },
      {
        words: ["serve", IMAGE, ...device, "--socket", "socket"],
        steps: [...typed, { seen: "ready; ends with Ctrl-C", typed: ctrlC }],
      },
      { words: ["copy", "slow.img", ...device, "--to", "slow.out"], steps: derived },
      {
        words: ["crypt", "open", "--test-passphrase", "slow.img"],
        steps: [
          { seen: "for slow.img: ", typed: "key a\r" },
          { seen: "deriving the key … ", typed: ctrlC },
        ],
      },
    ]);
    expect(ended.shown).not.toMatch(/key a\r/);
    expect(ended).toMatchObject({
      status: 0,
      isAsBefore: true,
      looks: Array.from({ length: 5 }, () => true),
    });
    expect(statusesOf(ended)).toEqual([0, 0, 0, 1, 1]);
    expect(ended.shown.split(asked)).toHaveLength(1 + 5);
    expect(readFileSync(join(cwd, "out")).toString("utf8", 0, 15)).toBe("a line of text\n");
    // The derivation would take a minute, or ten where this machine is slow or busy: a hundredth of it tells. Each Ctrl-C and its end are
    // neighbours among the steps.
    const start = performance.now();
    pbkdf2Sync("key a", "salt", SLOW_ITERATIONS / 100, 20, "sha256");
    const derivationMs = (performance.now() - start) * 100;
    const afterCtrlC = ended.doneSteps.flatMap(({ typed: sent, atMs }, index) =>
      sent === ctrlC ? [ended.doneSteps[index + 1]!.atMs - atMs] : [],
    );
    expect(afterCtrlC).toHaveLength(3);
    expect(Math.max(...afterCtrlC)).toBeLessThan(derivationMs / 2);
  });
});

describe("standard input that is no terminal", () => {
  test("has a line for each prompt", async () => {
    const { cwd, crypt } = await luksFolder();
    const input = Buffer.from("key a\nkey b\n");
    const added = await cev(["crypt", "luksAddKey", IMAGE, ...CHEAP], { cwd, input });
    expect(added).toMatchObject({ status: 0, stderr: "" });
    expect(await crypt("open", "--test-passphrase", "-d", "b", IMAGE)).toMatchObject({ status: 0 });
  });

  test("is a key to its last byte with --key-file -", async () => {
    const { cwd, file, crypt, judge } = cryptFolder();
    const input = Buffer.from([0, 0xff, 0x0a, 0xc3, 0x28, 0x0d, 0x0a]);
    file("whole", input);
    const words = ["crypt", "luksFormat", "-q", ...CHEAP, IMAGE, "--key-file", "-"];
    expect(await run(words, { cwd, input })).toMatchObject({ status: 0, stderr: "" });
    expect(await crypt("open", "--test-passphrase", "-d", "whole", IMAGE)).toMatchObject({ status: 0 });
    if (hasCryptsetup) judge(["open", "--test-passphrase", "-d", "whole", IMAGE]);
  });

  test("has passphrases of any bytes but newlines, as cryptsetup reads them", async () => {
    const { cwd, file, judge } = cryptFolder();
    const passphrase = Buffer.from([0x61, 0, 0xff, 0xc3, 0x28, 0x0d]);
    file("exact", passphrase);
    const input = Buffer.concat([passphrase, Buffer.from("\nanother line\n")]);
    const made = await run(["crypt", "luksFormat", "-q", ...CHEAP, IMAGE], { cwd, input });
    expect(made).toMatchObject({ status: 0, stderr: "" });
    const opened = await run(["crypt", "open", "--test-passphrase", IMAGE], { cwd, input });
    expect(opened).toMatchObject({ status: 0, stderr: "" });
    if (hasCryptsetup) judge(["open", "--test-passphrase", "-d", "exact", IMAGE]);
  });

  test("that is empty is no passphrase", async () => {
    const { cwd } = await luksFolder();
    const ended = await run(["crypt", "open", "--test-passphrase", IMAGE], { cwd, input: Buffer.alloc(0) });
    expect(ended.status).toBe(1);
    expect(ended.stderr).toMatch(/it is empty, and a key is expected/);
    const words = ["crypt", "token", "import", IMAGE];
    const token = await run(words, { cwd, input: Buffer.alloc(0) });
    expect(token.stderr).toMatch(/it is empty, and a token is expected/);
  });

  test("may have an empty line as a passphrase, as cryptsetup's may", async () => {
    const { cwd, file, judge } = cryptFolder();
    file("empty", "");
    const input = Buffer.from("\n");
    const made = await run(["crypt", "luksFormat", "-q", ...CHEAP, IMAGE], { cwd, input });
    expect(made).toMatchObject({ status: 0, stderr: "" });
    const opened = await run(["crypt", "open", "--test-passphrase", IMAGE], { cwd, input });
    expect(opened).toMatchObject({ status: 0, stderr: "" });
    if (hasCryptsetup) judge(["open", "--test-passphrase", "-d", "empty", IMAGE]);
  });

  test("is a key or the content of a device, and not both: what is read ahead would be missing", async () => {
    const { cwd, file } = await luksFolder();
    file("key", "key a");
    for (const words of [
      ["--passphrase-file", "-"],
      ["--key-file", "-", "--keyfile-size", "5"],
    ]) {
      const given = ["copy", IMAGE, "--device", "luks/x", "--from", "-", ...words];
      const ended = await run(given, { cwd, input: Buffer.from("key a\ncontent") });
      expect(ended.status).toBe(2);
      expect(ended.stderr).toMatch(/standard input is either a key or what is written/);
    }
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
    const past = await crypt(...words.slice(0, -1), "100");
    expect(past.status).toBe(1);
    expect(past.stderr).toMatch(/it ends before byte 100, where a key is to begin/);
    // As with cryptsetup, 0 is all of it.
    const all = await crypt("open", "--test-passphrase", IMAGE, "-d", "a", "--keyfile-size", "0");
    expect(all).toMatchObject({ status: 0, stderr: "" });
  });

  test("is not taken of what is no key file, and there is one key file", async () => {
    const { crypt } = await luksFolder();
    for (const [words, said] of [
      [
        ["open", "--test-passphrase", IMAGE, "--keyfile-size", "5"],
        /--keyfile-size takes a part of a key file/,
      ],
      [
        ["open", "--test-passphrase", IMAGE, "--passphrase-file", "a", "--keyfile-offset", "5"],
        /--keyfile-offset/,
      ],
      [["luksAddKey", IMAGE, "-d", "a", "--new-keyfile-size", "5"], /--new-keyfile-size/],
      [["luksRemoveKey", IMAGE, "b", "-d", "a"], /named twice/],
      [["luksAddKey", IMAGE, "b", "-d", "a", "--new-keyfile", "c"], /named twice/],
    ] as const) {
      const refused = await crypt(...words);
      expect(refused.status).toBe(2);
      expect(refused.stderr).toMatch(said);
    }
  });

  test("without the newline that an editor leaves is a passphrase", async () => {
    const { crypt, file } = await luksFolder();
    file("edited", "key a\n");
    expect(await crypt("open", "--test-passphrase", IMAGE, "-d", "edited")).toMatchObject({ status: 1 });
    const words = ["open", "--test-passphrase", IMAGE, "--passphrase-file", "edited"];
    expect(await crypt(...words)).toMatchObject({ status: 0 });
  });
});
