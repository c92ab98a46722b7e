import { parseArgs } from "node:util";
import { parseKeep, parseStack, replay, runOfSeed, simulationVersion } from "@cev/test-kit";
import { kinds } from "./kind.ts";

// What stands behind "pnpm sim" in the line of a failure.
const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    version: { type: "string" },
    keep: { type: "string" },
    stack: { type: "string" },
  },
});
const { seed, version, keep, stack } = values;
const part = {
  keep: keep === undefined ? null : parseKeep(keep),
  stack: stack === undefined ? null : parseStack(stack),
};
if (
  seed === undefined ||
  (keep !== undefined && part.keep === null) ||
  (stack !== undefined && part.stack === null)
)
  throw new Error("give what stands in the line of a failure: --seed, perhaps --version, --keep and --stack");
if (version !== undefined && version !== simulationVersion(kinds))
  throw new Error(
    `this is version ${simulationVersion(kinds)}: with another one the seed means something else`,
  );
const { script } = runOfSeed(Number(seed), kinds);
if ([...(part.keep?.keys() ?? [])].some((step) => step >= script.length))
  throw new Error(`the run of seed ${seed} has ${script.length} steps, and not all that --keep names`);

const { findings, stack: used, trace } = await replay(Number(seed), kinds, part);
console.log(`${used}, trace ${trace}: ${findings.length === 0 ? "nothing is wrong" : findings.join("; ")}`);
process.exitCode = findings.length === 0 ? 0 : 1;
