import { Random } from "@cev/test-kit";
import { allDamages, randomDamage } from "../fuzz/damage.ts";
import type { Damage } from "../fuzz/damage.ts";
import { HostileBench } from "../fuzz/judge.ts";
import { nameOfShape } from "../shape.ts";
import type { Shape } from "../shape.ts";
import { HOSTILE_SHAPES } from "../shapes.ts";
import { Table } from "../table.ts";
import { chosenShapes, tell } from "./options.ts";
import type { CommandOptions } from "./options.ts";
import { Watchdog } from "./watchdog.ts";

/** Arrays of every level and version with spoiled metadata. Returns the table of what came of them. */
export async function hostile(options: CommandOptions): Promise<Table> {
  const shapes = chosenShapes(HOSTILE_SHAPES, options);
  const table = new Table("array", ["damages", "opened", "refused", "violations"]);
  using watchdog = new Watchdog();
  for (const shape of shapes) {
    const bench = new HostileBench(shape);
    const random = new Random(options.seed);
    const name = nameOfShape(shape);
    for (const damage of damagesOf(shape, options, random, shapes.length)) {
      watchdog.begin(`${name}: ${damage.title}`);
      const { outcome, violations } = await bench.judge(damage, random.chance(0.5));
      const isOpened = outcome === "opened" ? 1 : 0;
      table.add(name, [1, isOpened, 1 - isOpened, violations.length]);
      if (table.sum("violations") < 100) tell(`--shape "${name}" --seed ${options.seed}`, violations);
    }
  }
  return table;
}

function* damagesOf(
  shape: Shape,
  { isAll, countMin }: CommandOptions,
  random: Random,
  shapeCount: number,
): Generator<Damage, void, void> {
  if (isAll) yield* allDamages(shape, 1);
  for (let count = 0; count < countMin / shapeCount; count++) yield randomDamage(shape, random);
}
