// md arrays of every level under power cuts, with spoiled metadata, and with failing members. `--help` lists the options.
import { parseArgs } from "node:util";
import { crash } from "./src/commands/crash.ts";
import { faults } from "./src/commands/faults.ts";
import { hostile } from "./src/commands/hostile.ts";

const HELP = `raid-crash: md arrays of every level, with everything that can happen to them
  --what crash|hostile|faults  power cuts (default), spoiled metadata, failing members
  --seed S                     what all random numbers come from (default: the time)
  --cuts N                     so many cuts, damages or requests at least (default 10000)
  --shape TEXT                 only arrays whose name contains this
  --share P                    crash: the part of the cuts that is judged (default 1: one before every change of a disk)
  --all                        hostile: every bit and every field, besides a random sample`;

const { values } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
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
const command = { crash, hostile, faults }[values.what];
if (values.help || command === undefined) {
  console.log(HELP);
  process.exit(values.help ? 0 : 2);
}

const start = performance.now();
console.log(`--what ${values.what} --seed ${values.seed}`);
const table = await command({
  seed: Number(values.seed),
  countMin: Number(values.cuts),
  shapeText: values.shape,
  share: Number(values.share),
  isAll: values.all,
});
for (const line of table.lines()) console.log(line);
const violationCount = table.sum("violations");
console.log(`${violationCount} violations in ${((performance.now() - start) / 1000).toFixed(0)} s`);
process.exit(violationCount === 0 ? 0 : 1);
