// Loads a server for minutes and watches its memory: main.ts --help.
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startServer, writeCev } from "../black-box/servers.ts";
import { run } from "../src/run.ts";
import { disturb } from "./disturber.ts";
import { growth, residentKib } from "./memory-use.ts";
import { numberOf, readCommandLine } from "../../../scripts/command-line.ts";

/** What two runs of a collector may differ by. */
const GROWTH_PERCENT_MAX = 5;
const DISK = 268_435_456;

const USAGE = `usage: pnpm run nbd-soak [OPTION]...

Loads a server with random requests that are checked, cuts other connections meanwhile, and fails where its memory grows by more
than ${GROWTH_PERCENT_MAX} %. Needs fio.

  --minutes N       how long (default: 10)
  --depth N         requests under way on each connection (default: 64)
  --connections N   (default: 8)

Examples:
  pnpm nbd-soak --minutes 1
  pnpm nbd-soak --minutes 60 --depth 16 --connections 32
`;

const { minutes, depth, connections } = readCommandLine("nbd-soak", USAGE, (args) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      minutes: { type: "string", default: "10" },
      depth: { type: "string", default: "64" },
      connections: { type: "string", default: "8" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  if (!(Number(values.minutes) > 0))
    throw new Error(`--minutes takes a number above 0, not ${values.minutes}`);
  return {
    minutes: Number(values.minutes),
    depth: numberOf("depth", values.depth, 1),
    connections: numberOf("connections", values.connections, 1),
  };
});
const folder = mkdtempSync(join(tmpdir(), "nbd-soak-"));
try {
  const socket = join(folder, "s");
  const file = join(folder, "disk");
  writeFileSync(file, "");
  truncateSync(file, DISK);
  await using server = await startServer("cev", writeCev(folder), { files: [file], address: { socket } });
  const samples: number[] = [];
  const timer = setInterval(() => samples.push(residentKib(server.pid)), 2000);
  const disturber = disturb(socket, 100);
  const share = DISK / connections;
  const fio = await run(
    "fio",
    [
      ...["--name=soak", "--ioengine=nbd", `--uri=nbd+unix:///?socket=${socket}`, "--rw=randrw"],
      ...[`--iodepth=${depth}`, `--numjobs=${connections}`, "--thread", "--group_reporting"],
      // Each connection checks what it reads of its own part of the disk.
      ...["--bsrange=4k-256k", "--bs_unaligned=0", `--size=${share}`, `--offset_increment=${share}`],
      ...[
        "--verify=crc32c",
        "--verify_backlog=256",
        "--verify_state_save=0",
        "--time_based",
        `--runtime=${Math.round(minutes * 60)}`,
      ],
      "--output-format=json",
    ],
    { timeoutMs: minutes * 60_000 + 120_000 },
  );
  clearInterval(timer);
  const cutCount = disturber.stop();
  if (fio.status !== 0)
    throw new Error(`fio ended with ${fio.status}: ${fio.stdout.slice(-1000)}${fio.stderr}`);
  const text = fio.stdout.slice(fio.stdout.indexOf("{"));
  const { jobs } = JSON.parse(text) as {
    jobs: { read: { total_ios: number }; write: { total_ios: number } }[];
  };
  const requests = jobs.reduce((sum, { read, write }) => sum + read.total_ios + write.total_ios, 0);
  const { early, late, percent } = growth(samples);
  console.log(
    `${minutes} minutes, depth ${depth} over ${connections} connections: ${requests} requests, checked; ` +
      `${cutCount} other connections cut; memory ${early} KiB early, ${late} KiB late (${percent.toFixed(1)} %), most ${Math.max(...samples)} KiB`,
  );
  if (percent > GROWTH_PERCENT_MAX) {
    console.log(`it grew by more than ${GROWTH_PERCENT_MAX} %`);
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
