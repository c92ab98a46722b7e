import { spawnSync } from "node:child_process";
import { parseArgs } from "node:util";
import { readCommandLine } from "../scripts/command-line.ts";
import { benchConvert } from "./convert/main.ts";
import { benchCore } from "./core/main.ts";
import { benchCrypt } from "./crypt/main.ts";
import { benchLvm } from "./lvm/main.ts";
import { benchNbd } from "./nbd/main.ts";
import { benchRaid } from "./raid/main.ts";
import { Report } from "./report.ts";
import { benchSnapshot } from "./snapshot/main.ts";

const PARTS: Record<string, (report: Report) => Promise<void>> = {
  convert: benchConvert,
  core: benchCore,
  crypt: benchCrypt,
  lvm: benchLvm,
  nbd: benchNbd,
  raid: benchRaid,
  snapshot: benchSnapshot,
};

const HELP = `usage: pnpm bench [convert] [core] [crypt] [lvm] [nbd] [raid] [snapshot] [--only=TEXT]

Measures cev side by side with its peers, in alternating runs, and prints ratios; without names, all parts.
--only: of convert, crypt and nbd, the loads alone whose names contain this text.

Examples:
  pnpm bench core
  pnpm bench nbd --only=fio`;

// Allocation is measured with the collector at hand and a young generation that holds a whole run.
if (!("gc" in globalThis)) {
  const child = spawnSync(
    process.execPath,
    ["--expose-gc", "--max-semi-space-size=256", ...process.argv.slice(1)],
    { stdio: "inherit" },
  );
  process.exit(child.status ?? 1);
}

const { names, only } = readCommandLine("bench", HELP, (args) => {
  const { values, positionals } = parseArgs({
    args: [...args],
    options: { only: { type: "string" }, help: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  if (values.help) return null;
  const unknown = positionals.find((name) => !Object.hasOwn(PARTS, name));
  if (unknown !== undefined) throw new Error(`there is no part ${unknown}`);
  return { names: positionals, only: values.only };
});
const report = new Report(only);
for (const name of names.length > 0 ? names : Object.keys(PARTS)) await PARTS[name]!(report);
const shortCount = report.summary();
console.log(`\n${shortCount === 0 ? "All figures were reached." : `${shortCount} figures fell short.`}`);
