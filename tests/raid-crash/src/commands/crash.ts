import { runCrashes } from "../crash/run.ts";
import { nameOfShape } from "../shape.ts";
import { CRASH_SHAPES } from "../shapes.ts";
import { Table } from "../table.ts";
import { chosenShapes, tell } from "./options.ts";
import type { CommandOptions } from "./options.ts";

/** Power cuts on arrays of every level. Returns the table of what came of them. */
export async function crash(options: CommandOptions): Promise<Table> {
  const { seed, share, countMin } = options;
  const shapes = chosenShapes(CRASH_SHAPES, options);
  const table = new Table("array", ["runs", "cuts", "violations"]);
  for (let round = 0; table.sum("cuts") < countMin; round++) {
    for (const shape of shapes) {
      const name = nameOfShape(shape);
      const { cutCount, violations } = await runCrashes({ shape, seed: seed + round, share });
      table.add(name, [1, cutCount, violations.length]);
      tell(`--shape "${name}" --seed ${seed + round}`, violations);
      if (table.sum("cuts") >= countMin) break;
    }
  }
  return table;
}
