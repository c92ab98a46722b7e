import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Command, cev, driverModule, golden, hashFiles, layerHash, sha256, signalNotes } from "./helpers.ts";

const hasFifos = spawnSync("mkfifo", ["--version"]).status === 0;

/** So long after one has arrived a signal is another one. */
const SOON_MS = 700;

/** Says with a file that it was loaded: signals are caught from then on. */
const LOADED = 'import { open } from "node:fs"; writeFileSync("loaded", "");';

interface SetUp {
  readonly folder: string;
  readonly fifo: string;
}

/** A folder with a FIFO and a stack of one device, `odd`, that does this with an `io`, and notes so many signals. */
function setUp(submit = "this.lowers[0].submit(io);", notedCount = 1): SetUp {
  const { images, folder } = golden("gpt");
  writeFileSync(join(folder, "odd.mjs"), `${signalNotes(notedCount)}${LOADED}${driverModule(submit)}`);
  const stack = `devices:\n  d0: { driver: "@cev/hw-file", path: ${images[0]!} }\n  odd: { driver: ./odd.mjs, lower: d0 }\n`;
  writeFileSync(join(folder, "stack.yaml"), stack);
  const fifo = join(folder, "fifo");
  spawnSync("mkfifo", [fifo]);
  return { folder, fifo };
}

async function start(folder: string, args: readonly string[]): Promise<Command> {
  const command = new Command(args, { cwd: folder });
  // What is stuck in the system ends by nothing else.
  onTestFinished(() => void command.child.kill("SIGKILL"));
  await fileOf(folder, "loaded");
  return command;
}

/** Waits for a file that the command makes. */
async function fileOf(folder: string, name: string): Promise<void> {
  while (!existsSync(join(folder, name))) await later(20);
}

const later = (ms: number): Promise<string> => new Promise((resolve) => setTimeout(resolve, ms, "waiting"));

const outcome = (command: Command, ms: number): Promise<unknown> => Promise.race([command.ended, later(ms)]);

describe.skipIf(!hasFifos)("a FIFO", () => {
  test.each([
    ["--to", "reads"],
    ["--from", "writes"],
  ])("that is the target of %s and that nobody %s is waited for until a signal comes", async (option) => {
    const { folder } = setUp();
    const copying = await start(folder, ["copy", "stack.yaml", "--device", "odd", option, "fifo"]);
    expect(await outcome(copying, 400)).toBe("waiting");
    copying.child.kill("SIGTERM");
    expect(await copying.ended).toMatchObject({ status: 1, stderr: "cev: ended by SIGTERM\n" });
  });

  test("takes all of a device, once somebody reads", async () => {
    const set = golden("gpt");
    const fifo = join(set.folder, "fifo");
    spawnSync("mkfifo", [fifo]);
    const copying = cev(["copy", ...set.images, "--device", "disk0.img/p1", "--to", fifo]);
    await later(600);
    const out = join(set.folder, "out");
    const reader = spawn("sh", ["-c", 'sleep 0.2; cat "$0" >"$1"', fifo, out]);
    await once(reader, "close");
    expect(await copying).toMatchObject({ status: 0, stderr: "" });
    expect(hashFiles([out])).toBe(layerHash(set, "p1"));
  });

  test("gives what is to be written, once somebody writes", async () => {
    const { images, folder } = golden("gpt");
    const fifo = join(folder, "fifo");
    spawnSync("mkfifo", [fifo]);
    const copying = cev(["copy", ...images, "--device", "vg2/data", "--from", fifo]);
    await later(600);
    const source = join(folder, "source");
    const bytes = Buffer.alloc(300_001, "cev");
    writeFileSync(source, bytes);
    await once(spawn("sh", ["-c", 'head -c 100000 "$1" >"$0"', fifo, source]), "spawn");
    expect(await copying).toMatchObject({ status: 0, stderr: "" });
    const { stdout } = await cev(["copy", ...images, "--device", "vg2/data", "--to", "-"]);
    expect(sha256(stdout.subarray(0, 100_000))).toBe(sha256(readFileSync(source).subarray(0, 100_000)));
  });

  test("whose reader goes away fails in one line", async () => {
    const { folder, fifo } = setUp();
    const copying = cev(["copy", "stack.yaml", "--device", "odd", "--to", "fifo"], { cwd: folder });
    spawnSync("head", ["-c", "10", fifo]);
    const { status, stderr } = await copying;
    expect(stderr).toBe("cev: fifo: whoever read the output went away before its end\n");
    expect(status).toBe(1);
  });
});

describe.skipIf(!hasFifos)("what is stuck in the system", () => {
  // The open of a FIFO blocks one of the threads that Node waits for when it exits.
  const STUCK = 'open("fifo", "w", () => undefined); writeFileSync("stuck", "");';

  test("does not keep a copy alive after the second signal", async () => {
    const { folder } = setUp(STUCK);
    const copying = await start(folder, ["copy", "stack.yaml", "--device", "odd", "--to", "out"]);
    await fileOf(folder, "stuck");
    copying.child.kill("SIGINT");
    await fileOf(folder, "signal1");
    expect(await outcome(copying, SOON_MS)).toBe("waiting");
    copying.child.kill("SIGTERM");
    const ended = await copying.ended;
    expect(ended).toMatchObject({ stderr: expect.stringMatching(/^cev: ended by SIGTERM before/) as string });
    expect(copying.child.signalCode).toBe("SIGTERM");
  });

  test("does not keep a server alive after the third signal", async () => {
    const { folder } = setUp(`if (io.op !== 2) this.lowers[0].submit(io); else { ${STUCK} }`, 2);
    const serving = await start(folder, ["serve", "stack.yaml", "--device", "odd", "--socket", "s"]);
    await serving.until(/ready/);
    serving.child.kill("SIGTERM");
    await fileOf(folder, "stuck");
    expect(await outcome(serving, SOON_MS)).toBe("waiting");
    serving.child.kill("SIGTERM");
    await fileOf(folder, "signal2");
    // One that arrives before the second has had its effect is none of its own.
    do await later(SOON_MS);
    while (serving.child.kill("SIGTERM") && (await outcome(serving, SOON_MS)) === "waiting");
    const ended = await serving.ended;
    expect(ended).toMatchObject({ stderr: expect.stringMatching(/^cev: odd was not flushed/) as string });
  });
});
