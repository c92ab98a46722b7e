import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

const GUIDE = readFileSync(new URL("../../../docs/crypt.md", import.meta.url), "utf8");
const UUID = "0f4f9d1c-33a7-4f0e-8d1b-0c5f1a1e7a55";
/** As dear as argon2id gets cheap. */
const CHEAP = "--pbkdf argon2id --pbkdf-memory 32 --pbkdf-parallel 1 --pbkdf-force-iterations 4";

interface Shown {
  readonly command: string;
  readonly lines: readonly string[];
}

/** Commands of the guide's consoles, each with what it is said to print. */
function commandsOf(text: string): Shown[] {
  const consoles = [...text.matchAll(/^```console\n(?<body>[^]*?)^```/gm)].map(
    ({ groups }) => groups!["body"]!,
  );
  return consoles
    .flatMap((body) => body.split(/^\$ /m).slice(1))
    .map((part) => {
      const [command = "", ...lines] = part.trimEnd().split("\n");
      return { command, lines };
    });
}

/** What is typed at the prompts, whose texts end in a colon; a passphrase that is set is typed twice, and piped once. */
function inputFor(lines: readonly string[], passphrases: readonly string[]): Uint8Array {
  const prompts = lines.filter((line) => /passphrase.*:$/.test(line) && !line.startsWith("Verify"));
  return Buffer.from(prompts.map((_, index) => `${passphrases[index]!}\n`).join(""));
}

test("what docs/crypt.md shows of cev crypt is what happens", async () => {
  const cwd = temporaryFolder();
  const commands = commandsOf(GUIDE);
  expect(commands.length).toBeGreaterThan(8);
  let isChanged = false;
  for (const { command, lines } of commands) {
    if (!command.startsWith("cev ")) {
      expect(spawnSync("sh", ["-c", command], { cwd }).status).toBe(0);
      continue;
    }
    const [line = "", filter] = command.split(" | ");
    const words = line.split(" ").slice(1);
    if (/luks(?:Format|AddKey|ChangeKey)/.test(line)) words.push(...CHEAP.split(" "));
    if (line.includes("luksFormat")) words.push("--uuid", UUID);
    if (line.includes("luksHeaderRestore")) isChanged = false;
    const input = inputFor(lines, isChanged ? ["changed"] : ["first", "changed"]);
    const ended = await run(words, { cwd, input });
    expect(ended, `${command}: ${ended.stderr}`).toMatchObject({ status: 0, stderr: "" });
    if (line.includes("luksChangeKey")) isChanged = true;
    const { stdout } =
      filter === undefined ? ended : spawnSync("sh", ["-c", filter], { input: ended.stdout });
    const printed = lines.filter((one) => !/passphrase.*:$/.test(one));
    expect(stdout.toString().trimEnd(), command).toBe(printed.join("\n"));
  }
});
