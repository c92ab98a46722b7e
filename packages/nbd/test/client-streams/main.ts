// Gives mutated client streams to the server in this process, or mutated server streams to the client: main.ts --help.
import { parseArgs } from "node:util";
import { numberOf, readCommandLine } from "../../../../scripts/command-line.ts";
import { fuzzClient } from "../server-streams/fuzz.ts";
import { fuzzStreams } from "./fuzz.ts";

const USAGE = `usage: pnpm run nbd-fuzz [OPTION]...

Gives streams that were changed by chance to the server, or to the client: whatever they hold, nothing may throw, hang or be kept.

  --server-streams   bad servers for the client, in place of bad clients for the server
  --count N          how many streams (default: 1000000)
  --seed N           of the first (default: by chance)

Examples:
  pnpm nbd-fuzz --count 10000
  pnpm nbd-fuzz --server-streams --seed 7 --count 1
`;

const { count, seed, isOfServers } = readCommandLine("nbd-fuzz", USAGE, (args) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      "server-streams": { type: "boolean", default: false },
      count: { type: "string", default: "1000000" },
      seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 30)) },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  return {
    count: numberOf("count", values.count, 1),
    seed: numberOf("seed", values.seed),
    isOfServers: values["server-streams"],
  };
});
console.log(`${count} streams from seed ${seed}`);
const start = performance.now();
const rate = (done: number): string => {
  const { user, system } = process.cpuUsage();
  const perSecond = Math.round(done / ((performance.now() - start) / 1000));
  return `${perSecond} a second, ${Math.round((done / (user + system)) * 1e6)} a second of processor time`;
};
const onProgress = (done: number): void => {
  if (done % 100_000 === 0) console.log(`${done}, ${rate(done)}`);
};
// Most of the time would go into stacks of errors that were to be expected; a single stream shows all.
if (count > 1) Error.stackTraceLimit = 0;
// What nobody waits for would end the process without saying which stream it was.
let at = 0;
process.on("unhandledRejection", (error) => {
  console.log(
    `near stream ${at}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
  process.exit(1);
});
const told = isOfServers ? await againstClient() : await againstServer();
console.log(`${count} streams (${told}), ${rate(count)}: nothing found`);

async function againstServer(): Promise<string> {
  const { bytes, repliedCount } = await found(fuzzStreams(seed, count, onProgress));
  return `${bytes} bytes, ${repliedCount} of them answered`;
}

async function againstClient(): Promise<string> {
  const result = await found(
    fuzzClient(seed, count, {
      onStream: (index) => (at = index),
      onProgress,
    }),
  );
  return [
    `${result.bytes} bytes over ${result.connectionCount} connections`,
    `${result.openedCount} devices, ${result.doneCount} requests done and ${result.failedCount} failed`,
  ].join("; ");
}

async function found<T>(fuzzing: Promise<T>): Promise<T> {
  try {
    return await fuzzing;
  } catch (error) {
    console.log((error as Error).message);
    console.log(((error as Error).cause as Error | undefined)?.stack ?? (error as Error).stack);
    process.exit(1);
  }
}
