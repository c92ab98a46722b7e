// Headers with metadata changed by chance: what cryptsetup refuses, cev has to refuse, and the other way round. `--help` lists the options.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Random } from "@cev/test-kit";
import { numberOf, readCommandLine } from "../../../scripts/command-line.ts";
import { compareMany } from "./compare.ts";

const USAGE = `usage: pnpm run luks2-headers [OPTION]...

Changes the metadata of LUKS2 headers by chance: what cryptsetup refuses, cev has to refuse, and the other way round.

  --count N   how many headers (default: 2000)
  --seed N    repeats what was done by chance (default: the time)

Example:
  pnpm luks2-headers --count 200 --seed 7
`;

const { count, seed } = readCommandLine("luks2-headers", USAGE, (args) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      count: { type: "string", default: "2000" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  return { count: numberOf("count", values.count, 1), seed: numberOf("seed", values.seed) };
});
const folder = mkdtempSync(join(tmpdir(), "luks2-headers-"));
console.log(`${count} headers, --seed ${seed}`);
try {
  const { valid, refused, differing } = await compareMany({ folder, count, random: new Random(seed) });
  for (const { text, cryptsetup, cev } of differing.slice(0, 20))
    console.log(`DIFFERS\n  ${text}\n  cryptsetup: ${cryptsetup}\n  cev: ${cev}`);
  console.log(`${valid} valid to both, ${refused} refused by both, ${differing.length} judged differently`);
  if (differing.length > 0) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
