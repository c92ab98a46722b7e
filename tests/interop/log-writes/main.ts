// Lets Linux's replay-log check logs that cev recorded: main.ts --help.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Device, environmentFrom } from "@cev/core";
import {
  LogWritesSink,
  MemoryLayer,
  Random,
  RecordLayer,
  WriteLog,
  cutsOf,
  replayRecording,
} from "@cev/test-kit";
import { numberOf, readCommandLine } from "../../../scripts/command-line.ts";
import { output } from "../src/run.ts";

const USAGE = `usage: pnpm run log-writes [OPTION]...

Records random writes as a log of dm-log-writes, and has replay-log of the kernel's test tools count its entries, find its marks
and replay it up to each of them: the device must hold what it held then. Of the power cuts that cev draws from the log, those in which
all writes survive must be what replay-log makes of as many entries. The tool is fetched and built unless --sources names a
folder with it.

  --sources DIR    the sources of replay-log
  --count N        how many logs (default: 20)
  --seed N         of the first (default: 1)

Examples:
  pnpm log-writes --count 100 --seed 7
  pnpm log-writes --sources ~/log-writes
`;
const SIZE = 1024 * 1024;
const environment = environmentFrom(globalThis);

const options = readCommandLine("log-writes", USAGE, (args) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      sources: { type: "string" },
      count: { type: "string", default: "20" },
      seed: { type: "string", default: "1" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  return {
    sources: values.sources ?? null,
    count: numberOf("count", values.count),
    seed: numberOf("seed", values.seed),
  };
});
await main();

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "cev-log-writes-"));
  try {
    const program = await replayLog(folder);
    let entryCount = 0;
    for (let index = 0; index < options.count; index++)
      entryCount += await judge(program, folder, options.seed + index);
    console.log(`${options.count} logs of ${entryCount} entries were replayed to the same contents`);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Builds the tool and gives its path. */
async function replayLog(folder: string): Promise<string> {
  const sources = options.sources ?? join(folder, "sources");
  if (!existsSync(join(sources, "replay-log.c"))) {
    const url = "https://github.com/josefbacik/log-writes";
    await output("git", ["clone", "--quiet", "--depth", "1", url, sources], { timeoutMs: 600_000 });
  }
  const program = join(folder, "replay-log");
  const files = ["replay-log.c", "log-writes.c"].map((name) => join(sources, name));
  await output("cc", ["-w", "-O1", "-o", program, ...files]);
  return program;
}

/** Records random work and has it replayed. Returns how many entries it took; throws what is not the same. */
async function judge(program: string, folder: string, seed: number): Promise<number> {
  const device = new MemoryLayer(environment, { size: SIZE, completion: "random", seed });
  const log = new MemoryLayer(environment, { size: 16 * SIZE });
  const layer = new RecordLayer(device, { environment, sink: new LogWritesSink(log, { environment }) });
  const opened = await Device.open(layer, environment);
  const random = new Random(seed);
  const images: Uint8Array[] = [];
  for (let round = 0; round < 4; round++) {
    for (let count = 0; count < 40; count++) await work(opened, random);
    await opened.flush();
    await layer.mark(`round ${round}`);
    images.push(device.bytes.slice());
  }
  await opened.close();
  const logPath = join(folder, "log.img");
  writeFileSync(logPath, log.bytes);
  const { entryCount } = await WriteLog.open(log, environment);
  const counted = await output(program, ["--log", logPath, "--num-entries"]);
  if (counted.trim() !== String(entryCount))
    throw new Error(`seed ${seed}: ${entryCount} entries are ${counted.trim()} to replay-log`);
  for (const [round, image] of images.entries())
    await compare(program, { folder, logPath, seed, round, image, log });
  await compareCuts(program, { folder, logPath, seed, log });
  return entryCount;
}

/** Every tenth moment at which the power may go: what has reached the disk by then is what the tool has replayed by then. */
async function compareCuts(
  program: string,
  place: {
    readonly folder: string;
    readonly logPath: string;
    readonly seed: number;
    readonly log: MemoryLayer;
  },
): Promise<void> {
  const { folder, logPath, seed, log } = place;
  const target = join(folder, "cut.img");
  const before = new Uint8Array(SIZE);
  const recording = await WriteLog.open(log, environment);
  let count = 0;
  for await (const { at, image } of cutsOf(recording, {
    before,
    random: new Random(seed),
    policies: ["all"],
  })) {
    // None of its entries is "all of them" to the tool.
    if (count++ % 10 > 0 || at === 0) continue;
    writeFileSync(target, before);
    await output(program, ["--log", logPath, "--replay", target, "--limit", String(at)]);
    if (Buffer.compare(readFileSync(target), image) !== 0)
      throw new Error(`seed ${seed}: a cut before entry ${at} is not what replay-log has by then`);
  }
}

async function work(device: Device, random: Random): Promise<void> {
  const offset = 512 * random.below(SIZE / 512 - 64);
  const length = 512 * random.between(1, 32);
  const fua = random.chance(0.2);
  if (random.chance(0.1)) await device.flush();
  else if (random.chance(0.1)) await device.writeZeroes(offset, length, { fua });
  else if (random.chance(0.05)) await device.discard(offset, length);
  else await device.write(offset, random.bytes(length), { fua });
}

/** The tool's result and ours, up to the mark: the same, and what the device held, but for what was discarded. */
async function compare(
  program: string,
  place: {
    readonly folder: string;
    readonly logPath: string;
    readonly seed: number;
    readonly round: number;
    readonly image: Uint8Array;
    readonly log: MemoryLayer;
  },
): Promise<void> {
  const { folder, logPath, seed, round, image, log } = place;
  const mark = `round ${round}`;
  const target = join(folder, "target.img");
  writeFileSync(target, new Uint8Array(SIZE));
  await output(program, ["--log", logPath, "--replay", target, "--end-mark", mark]);
  const ours = new MemoryLayer(environment, { size: SIZE });
  const recording = await WriteLog.open(log, environment);
  await replayRecording(recording, ours, { environment, until: (step) => step.mark === mark });
  const theirs = readFileSync(target);
  if (Buffer.compare(theirs, ours.bytes) !== 0)
    throw new Error(`seed ${seed}, ${mark}: replay-log and cev do not agree`);
  // A disk in memory fills what is discarded with 0xdd; replayed it is zeroes.
  const wrong = theirs.findIndex((byte, at) => byte !== image[at] && !(byte === 0 && image[at] === 0xdd));
  if (wrong >= 0)
    throw new Error(`seed ${seed}, ${mark}: byte ${wrong} is ${theirs[wrong]}, not ${image[wrong]}`);
}
