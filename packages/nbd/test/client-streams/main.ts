// Gives mutated client streams to the server in this process: main.ts [--count N] [--seed N].
import { parseArgs } from "node:util";
import { FoundFault, fuzzStreams } from "./fuzz.ts";

const { values } = parseArgs({
  options: {
    count: { type: "string", default: "1000000" },
    seed: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(
    "usage: pnpm run nbd-fuzz [--count N] [--seed N]   (default: 1000000 streams, a seed by chance)",
  );
  process.exit(0);
}
const count = Number(values.count);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 30) : Number(values.seed);
console.log(`${count} streams from seed ${seed}`);
const start = performance.now();
const rate = (done: number): string => {
  const { user, system } = process.cpuUsage();
  const perSecond = Math.round(done / ((performance.now() - start) / 1000));
  return `${perSecond} a second, ${Math.round((done / (user + system)) * 1e6)} a second of processor time`;
};
try {
  const { bytes, repliedCount } = await fuzzStreams(seed, count, (done) => {
    if (done % 100_000 === 0) console.log(`${done}, ${rate(done)}`);
  });
  console.log(
    `${count} streams (${bytes} bytes, ${repliedCount} of them answered), ${rate(count)}: nothing found`,
  );
} catch (error) {
  if (!(error instanceof FoundFault)) throw error;
  console.log(error.message);
  console.log((error.cause as Error).stack);
  process.exitCode = 1;
}
