import { spawn } from "node:child_process";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { onTestFinished } from "vitest";
import { unpackGolden } from "../../../tests/interop/golden/unpack.ts";
import type { UnpackedGolden } from "../../../tests/interop/golden/unpack.ts";

const COMMAND = [
  "--conditions=@cev/source",
  "--disable-warning=ExperimentalWarning",
  process.env["CEV_BIN"] ?? join(import.meta.dirname, "../src/bin.ts"),
];

/** The command as one that a shell takes. */
export const shellCommand: string = [process.execPath, ...COMMAND].map((word) => `'${word}'`).join(" ");

export interface Ended {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** A running `cev`. */
export class Command {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  readonly #stdout: Buffer[] = [];
  #stderr = "";

  constructor(args: readonly string[], options: { readonly input?: Uint8Array; readonly cwd?: string } = {}) {
    this.child = spawn(process.execPath, [...COMMAND, ...args], { cwd: options.cwd });
    this.child.stdout.on("data", (bytes: Buffer) => this.#stdout.push(bytes));
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => (this.#stderr += text));
    // A command that ends before it has read all of its input breaks the pipe.
    this.child.stdin.on("error", () => undefined);
    this.child.stdin.end(options.input ?? new Uint8Array());
    this.ended = once(this.child, "close").then(() => ({
      status: this.child.exitCode,
      stdout: Buffer.concat(this.#stdout),
      stderr: this.#stderr,
    }));
  }

  /** Waits until standard output has these words, and gives what was found. */
  until(words: RegExp): Promise<RegExpExecArray> {
    return this.#until(words, this.child.stdout, () => Buffer.concat(this.#stdout).toString());
  }

  /** The same for standard error. */
  untilError(words: RegExp): Promise<RegExpExecArray> {
    return this.#until(words, this.child.stderr, () => this.#stderr);
  }

  async #until(words: RegExp, stream: Readable, text: () => string): Promise<RegExpExecArray> {
    const find = (): RegExpExecArray | null => words.exec(text());
    const early = this.ended.then(({ stderr }) => {
      throw new Error(`it ended before ${String(words)}: ${stderr}`);
    });
    let found = find();
    for (; found === null; found = find()) await Promise.race([once(stream, "data"), early]);
    early.catch(() => undefined);
    return found;
  }
}

/** Runs `cev` to its end. */
export function cev(
  args: readonly string[],
  options: { input?: Uint8Array; cwd?: string } = {},
): Promise<Ended> {
  return new Command(args, options).ended;
}

/** A folder that is gone after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "cev-cli-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Images that a kernel made, and a passphrase file, with a newline as editors leave it. */
export function golden(name: string): UnpackedGolden & { readonly folder: string; readonly keys: string[] } {
  const folder = temporaryFolder();
  const set = unpackGolden(name, folder);
  const file = join(folder, "passphrase");
  writeFileSync(file, `${set.manifest.passphrase ?? ""}\n`);
  return { ...set, folder, keys: ["--passphrase-file", file] };
}

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** One hash over files. */
export function hashFiles(paths: readonly string[]): string {
  const hash = createHash("sha256");
  for (const path of paths) hash.update(readFileSync(path));
  return hash.digest("hex");
}

/** The hash of a layer that the kernel saw. */
export function layerHash({ manifest }: UnpackedGolden, name: string): string {
  return manifest.layers.find((one) => one.name === name)!.sha256;
}

/**
 * The beginning of a driver's module that says with the files `signal1`, `signal2` and so on that so many signals have
 * arrived, and then leaves them to others: how long one of them is under way nobody outside knows.
 */
export function signalNotes(count: number): string {
  return `
import { writeFileSync } from "node:fs";
let signalCount = 0;
const noteSignal = () => {
  writeFileSync("signal" + ++signalCount, "");
  if (signalCount === ${count}) for (const name of ["SIGINT", "SIGTERM"]) process.off(name, noteSignal);
};
for (const name of ["SIGINT", "SIGTERM"]) process.on(name, noteSignal);
`;
}

/** The source of a driver whose layer does this with an `io`. */
export function driverModule(submit: string): string {
  return `
class OddLayer {
  name = "odd";
  constructor(lower) {
    const { limits, support, claims } = lower;
    Object.assign(this, { lowers: [lower], limits, support, claims: new claims.constructor() });
  }
  async open() {}
  async close() {}
  submit(io) { ${submit} }
  describe() {}
}
export const driver = {
  name: "odd", interfaceVersion: 1, summary: "", optionsSchema: {},
  options: { "~standard": { version: 1, vendor: "x", validate: (value) => ({ value }) } },
  lowers: { countMin: 1, countMax: 1 },
  open: async ({ lowers: [{ layer }] }) => [{ name: null, layer: new OddLayer(layer), state: "", details: {} }],
};`;
}
