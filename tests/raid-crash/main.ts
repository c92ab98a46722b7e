// Power cuts on arrays of every level: workloads, each cut before the changes that it makes to its disks, and restarts
// that are judged by a slow reference. `--help` lists the options.
import { parseArgs } from "node:util";
import { runCrashes } from "./src/crash/run.ts";
import { CrashTable } from "./src/crash/table.ts";
import { nameOfShape } from "./src/shape.ts";
import { CRASH_SHAPES } from "./src/shapes.ts";

const { values } = parseArgs({
  args: process.argv.slice(2).filter((argument) => argument !== "--"),
  options: {
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    cuts: { type: "string", default: "10000" },
    shape: { type: "string", default: "" },
    share: { type: "string", default: "1" },
    help: { type: "boolean", default: false },
  },
});

if (values.help) {
  console.log(`raid-crash: power cuts on md arrays
  --seed S     what all random numbers come from (default: the time)
  --cuts N     stop after so many cuts (default 10000)
  --shape TEXT only arrays whose name contains this
  --share P    the part of the cuts that is judged (default 1: one before every single change of a disk)`);
  process.exit(0);
}

const seed = Number(values.seed);
const cutsMax = Number(values.cuts);
const share = Number(values.share);
const shapes = CRASH_SHAPES.filter((shape) => nameOfShape(shape).includes(values.shape));
if (shapes.length === 0) throw new Error(`no array is called ${values.shape}`);

const table = new CrashTable();
const start = performance.now();
console.log(`--seed ${seed}, ${shapes.length} arrays`);
for (let round = 0; table.cutCount < cutsMax; round++) {
  for (const shape of shapes) {
    const { cutCount, violations } = await runCrashes({ shape, seed: seed + round, share });
    table.add(shape, cutCount, violations.length);
    for (const violation of violations.slice(0, 3))
      console.log(`${nameOfShape(shape)} --seed ${seed + round}: ${violation}`);
    if (table.cutCount >= cutsMax) break;
  }
}
for (const line of table.lines()) console.log(line);
console.log(
  `${table.cutCount} cuts in ${((performance.now() - start) / 1000).toFixed(0)} s, ${table.violationCount} violations`,
);
process.exit(table.violationCount === 0 ? 0 : 1);
