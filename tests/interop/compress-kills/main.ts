// Kills servers of compressed devices: main.ts --help.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { numberOf, readCommandLine } from "../../../scripts/command-line.ts";
import { runKills } from "./kill-rounds.ts";

const USAGE = `usage: pnpm run compress-kills [OPTION]...

Serves compressed devices, writes to them with eight requests at a time and with qemu-io, kills the server with SIGKILL in the middle, starts
it anew and reads everything: what was flushed is there, and the rest is old or new, block by block. In every other run what was
not flushed goes with the server, as in a power cut. nbdcopy reads the same at the end.

  --kills N    of all runs together (default: 30)
  --seed N     (default: the time)

Examples:
  pnpm compress-kills --kills 100 --seed 7
`;

const { kills, seed } = readCommandLine("compress-kills", USAGE, (args) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      kills: { type: "string", default: "30" },
      seed: { type: "string", default: String(Date.now()) },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  return { kills: numberOf("kills", values.kills, 1), seed: numberOf("seed", values.seed) };
});

const KILLS_EACH = 5;
const CHUNK_SIZES = [32_768, 4096, 131_072];

console.log(`seed ${seed}`);
const folder = mkdtempSync(join(tmpdir(), "cevk-"));
try {
  let left = kills;
  for (let round = 0; left > 0; round++, left -= KILLS_EACH) {
    const place = join(folder, String(round));
    mkdirSync(place);
    const isVolatile = round % 2 === 1;
    const chunkSize = CHUNK_SIZES[round % CHUNK_SIZES.length]!;
    const killCount = Math.min(left, KILLS_EACH);
    const figures = await runKills({
      ...{ folder: place, killCount, seed: seed + round, isVolatile, chunkSize },
      workMsMax: 1500,
    });
    const { writeCount, flushCount, qemuCount, lostCount } = figures;
    console.log(
      `${killCount} kills, chunks of ${chunkSize}${isVolatile ? ", and what was not flushed is lost" : ""}: nothing wrong after ${writeCount} writes, ` +
        `${flushCount} flushes, ${qemuCount} writes of qemu-io; ${lostCount} blocks were not flushed and are lost`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
