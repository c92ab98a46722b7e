import { runFaults } from "../faults/run.ts";
import { nameOfShape } from "../shape.ts";
import { CRASH_SHAPES } from "../shapes.ts";
import { Table } from "../table.ts";
import { chosenShapes, tell } from "./options.ts";
import type { CommandOptions } from "./options.ts";

/** Failing members under arrays of every level. Returns the table of what came of them. */
export async function faults(options: CommandOptions): Promise<Table> {
  const { seed, countMin } = options;
  const shapes = chosenShapes(CRASH_SHAPES, options);
  const table = new Table("array", ["runs", "faults", "requests", "refused", "violations"]);
  for (let round = 0; table.sum("requests") < countMin; round++) {
    for (const shape of shapes) {
      const name = nameOfShape(shape);
      for (const isWithin of [true, false]) {
        const result = await runFaults({ shape, seed: seed + round, isWithin });
        const { faultCount, doneCount, failedCount, violations } = result;
        table.add(name, [1, faultCount, doneCount + failedCount, failedCount, violations.length]);
        tell(`--shape "${name}" --seed ${seed + round} ${isWithin ? "within" : "beyond"}`, violations);
      }
    }
  }
  return table;
}
