// Headers with metadata changed by chance: what cryptsetup refuses, cev has to refuse, and the other way round. [--count N] [--seed N]
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Random } from "@cev/test-kit";
import { compareMany } from "./compare.ts";

const { values } = parseArgs({ options: { count: { type: "string" }, seed: { type: "string" } } });
const count = Number(values.count ?? 2000);
const seed = Number(values.seed ?? Date.now() % 1_000_000);
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
