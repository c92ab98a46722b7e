// md arrays of every level under power cuts, with spoiled metadata, and with failing members. `--help` lists the options.
import { parseArgs } from "node:util";
import { numberOf, oneOf, readCommandLine } from "../../scripts/command-line.ts";
import { crash } from "./src/commands/crash.ts";
import { faults } from "./src/commands/faults.ts";
import { hostile } from "./src/commands/hostile.ts";

const HELP = `raid-crash: md arrays of every level, with everything that can happen to them
  --what crash|hostile|faults  power cuts (default), spoiled metadata, failing members
  --seed S                     what all random numbers come from (default: the time)
  --cuts N                     so many cuts, damages or requests at least (default 10000)
  --shape TEXT                 only arrays whose name contains this
  --share P                    crash: the part of the cuts that is judged (default 1: one before every change of a disk)
  --all                        hostile: every bit and every field, besides a random sample

Examples:
  pnpm raid-crash --cuts 1000 --shape raid6
  pnpm raid-crash --what faults --seed 7
  pnpm raid-crash --what hostile --shape raid1 --all`;

const COMMANDS = { crash, hostile, faults };
const WHATS = ["crash", "hostile", "faults"] as const;

const { what, ...options } = readCommandLine("raid-crash", HELP, (args) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      what: { type: "string", default: "crash" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      cuts: { type: "string", default: "10000" },
      shape: { type: "string", default: "" },
      share: { type: "string", default: "1" },
      all: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return null;
  const share = Number(values.share);
  if (!(share > 0 && share <= 1))
    throw new Error(`--share takes a number above 0 and up to 1, not ${values.share}`);
  return {
    what: oneOf("what", WHATS, values.what),
    seed: numberOf("seed", values.seed),
    countMin: numberOf("cuts", values.cuts, 1),
    shapeText: values.shape,
    share,
    isAll: values.all,
  };
});

const start = performance.now();
console.log(`--what ${what} --seed ${options.seed}`);
const table = await COMMANDS[what](options);
for (const line of table.lines()) console.log(line);
const violationCount = table.sum("violations");
console.log(`${violationCount} violations in ${((performance.now() - start) / 1000).toFixed(0)} s`);
process.exit(violationCount === 0 ? 0 : 1);
