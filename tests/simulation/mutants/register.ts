// `--import` of a process that plants one defect: the source is altered while it is loaded, and no file is touched.
import { registerHooks } from "node:module";
import { MUTANTS } from "./table.ts";

/** The variable that names the defect. */
const VARIABLE = "CEV_MUTANT";

const mutant = MUTANTS.find(({ name }) => name === process.env[VARIABLE]);
if (mutant === undefined) throw new Error(`${VARIABLE} names no mutant`);
const { name, file, find, replace } = mutant;
const url = new URL(`../../../packages/${file}`, import.meta.url).href;

registerHooks({
  load(loaded, context, next) {
    const result = next(loaded, context);
    if (loaded !== url) return result;
    const { source: given } = result;
    const source = typeof given === "string" ? given : new TextDecoder().decode(given);
    if (source.split(find).length !== 2)
      throw new Error(
        `mutant ${name}: its text is not there exactly once any more in ${file}: mend tests/simulation/mutants/table.ts`,
      );
    return { ...result, source: source.replace(find, () => replace) };
  },
});
