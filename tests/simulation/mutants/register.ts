// `--import` of a process that plants one defect: the source is altered while it is loaded, and no file is touched.
import { writeSync } from "node:fs";
import { registerHooks } from "node:module";
import { MUTANTS } from "./table.ts";
import type { Edit } from "./table.ts";

/** The variable that names the defect. */
const VARIABLE = "CEV_MUTANT";

const mutant = MUTANTS.find(({ name }) => name === process.env[VARIABLE]);
if (mutant === undefined) throw new Error(`${VARIABLE} names no mutant`);
const { name, file, edits } = mutant;
const url = new URL(`../../../packages/${file}`, import.meta.url).href;

registerHooks({
  load(loaded, context, next) {
    const result = next(loaded, context);
    if (loaded !== url) return result;
    const { source: given } = result;
    const source: string = typeof given === "string" ? given : new TextDecoder().decode(given);
    return { ...result, source: edits.reduce(altered, source) };
  },
});

// Whoever started this wants to know what it took, however busy the machine is.
process.on("exit", () => {
  const { user, system } = process.cpuUsage();
  writeSync(2, `\nprocessor ${(user + system) / 1e6}\n`);
});

function altered(source: string, { find, replace }: Edit): string {
  if (source.split(find).length !== 2)
    throw new Error(
      `mutant ${name}: its text is not there exactly once any more in ${file}: mend tests/simulation/mutants/table.ts`,
    );
  return source.replace(find, () => replace);
}
