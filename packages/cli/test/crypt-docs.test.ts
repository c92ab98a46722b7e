/** What README and documentation of encrypted devices show is run as it stands there. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CHEAP } from "./crypt-helpers.ts";
import { Command, shellCommand } from "./helpers.ts";
import type { Ended } from "./helpers.ts";
import { run } from "./in-process.ts";

const top = resolve(import.meta.dirname, "../../..");
const folder = mkdtempSync(join(tmpdir(), "cev-crypt-docs-"));
afterAll(() => rmSync(folder, { recursive: true }));
const cev = (...words: string[]): Promise<Ended> => run(words, { cwd: folder });

function blocksOf(path: string, language: string): string[] {
  const text = readFileSync(join(top, path), "utf8");
  const found = text.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, "gm"));
  return [...found].map(([, code = ""]) => code);
}

/** Each with its first line that says more than an import does, for a name. */
const named = (blocks: readonly string[]): [string, string][] =>
  blocks.map((block) => [/^(?!import |$).*$/m.exec(block)?.[0] ?? "a program", block]);

function file(name: string, content: string | Uint8Array, size?: number): void {
  writeFileSync(join(folder, name), content);
  if (size !== undefined) truncateSync(join(folder, name), size);
}

async function format(name: string, uuid: string, key: string, ...words: string[]): Promise<void> {
  const made = await cev("crypt", "luksFormat", "-q", ...CHEAP, "--uuid", uuid, ...words, name, key);
  expect(made, made.stderr).toMatchObject({ status: 0 });
}

const MIB = 1 << 20;
const DISK = "59babd93-29fa-45a8-9320-f0027bdb3e5e";
const HEADER = "1c1ab9c2-3f5f-4c5e-9f0c-111111111111";

beforeAll(async () => {
  file("secret", "open sesame");
  file("disk.img", "", 20 * MIB);
  file("data.img", "", 4 * MIB);
  await format("disk.img", DISK, "secret");
  await format("data.img", HEADER, "secret", "--header", "header.img");
});

describe("docs/crypt.md", () => {
  const sessions = blocksOf("docs/crypt.md", "text").filter((text) => text.startsWith("$ cev "));

  test("shows several sessions", () => {
    expect(sessions.length).toBeGreaterThanOrEqual(3);
  });

  test.each(named(sessions))("%s", async (_name, session) => {
    const [command = "", ...lines] = session.trimEnd().split("\n");
    const { stdout } = await cev(...command.split(" ").slice(2));
    expect(stdout.toString().trimEnd().split("\n")).toEqual(lines);
  });

  // Nobody can be asked here.
  const commands = blocksOf("docs/crypt.md", "sh").flatMap((block) => block.trimEnd().split("\n"));
  test.each(commands)("%s", async (command) => {
    const words = [...command.split(" ").slice(1), "--passphrase-file", "secret"];
    if (words[0] !== "serve") return expect(await cev(...words)).toMatchObject({ status: 0 });
    const server = new Command(words, { cwd: folder });
    await server.until(/ready/);
    server.child.kill("SIGINT");
    expect(await server.ended).toMatchObject({ status: 0 });
  });

  test.each(named(blocksOf("docs/crypt.md", "bash")))("%s", async (_name, script) => {
    const { status, stderr } = spawnSync("sh", ["-ec", `cev() { ${shellCommand} "$@"; }\n${script}`], {
      cwd: folder,
      encoding: "utf8",
      timeout: 240_000,
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const plain = async (image: string, uuid: string, ...key: string[]): Promise<Buffer> => {
      await cev("copy", image, "--device", `luks/${uuid}`, "--to", "plain.img", ...key);
      return readFileSync(join(folder, "plain.img"));
    };
    const [, uuid = ""] = /--uuid (\S+)/.exec(script) ?? [];
    const copied = await plain("other.img", uuid, "--key-file", "other.key");
    expect(copied.equals(await plain("disk.img", DISK, "--passphrase-file", "secret"))).toBe(true);
  });

  test.each(named(blocksOf("docs/crypt.md", "yaml")))("%s", async (_name, text) => {
    file("docs.yaml", text);
    expect(await cev("inspect", "docs.yaml")).toMatchObject({ status: 0, stderr: "" });
  });
});

describe("packages/crypt/README.md", () => {
  const README = "packages/crypt/README.md";

  test.each(named(blocksOf(README, "ts")))("%s", async (_name, code) => {
    file("disk.img", "", 20 * MIB);
    file("key", "correct horse battery staple");
    await format("disk.img", DISK, "key");
    // What takes long on purpose takes less here.
    const cheap = code.replace("131_072", "1024");
    const program = `process.chdir(${JSON.stringify(folder)});\n${cheap}`;
    const ended = spawnSync(
      process.execPath,
      [
        ...["--conditions=@cev/source", "--disable-warning=ExperimentalWarning"],
        ...["--input-type=module-typescript", "-e", program],
      ],
      // From here the packages are found.
      { cwd: join(top, "packages/cli"), encoding: "utf8", timeout: 240_000 },
    );
    expect(ended.stderr).toBe("");
    expect(ended.status).toBe(0);
  });

  test.each(named(blocksOf(README, "yaml")))("%s", async (_name, text) => {
    file("passphrase", "open sesame\n");
    file("key", new Uint8Array(64).fill(9));
    for (const name of ["d0.img", "swap.img"]) file(name, "", 20 * MIB);
    await format("d0.img", DISK, text.includes("keyFile: ./key") ? "key" : "secret");
    file("README.yaml", text);
    const { status, stderr, stdout } = await cev("inspect", "README.yaml");
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout.toString()).toMatch(/crypt +active/);
  });
});
