import { nameOfShape } from "../shape.ts";
import type { Shape } from "../shape.ts";

/** What the command line says. */
export interface CommandOptions {
  readonly seed: number;
  /** How many cuts, damages or requests at least. */
  readonly countMin: number;
  /** Only arrays whose name contains this. */
  readonly shapeText: string;
  /** Which part of the possible cuts is judged. */
  readonly share: number;
  /** Every bit and every field, instead of a sample. */
  readonly isAll: boolean;
}

/** The arrays that are asked for. Throws where there is none. */
export function chosenShapes(shapes: readonly Shape[], { shapeText }: CommandOptions): readonly Shape[] {
  const chosen = shapes.filter((shape) => nameOfShape(shape).includes(shapeText));
  if (chosen.length === 0) throw new Error(`no array is called "${shapeText}"`);
  return chosen;
}

/** Tells of the first few of many. */
export function tell(head: string, violations: readonly string[]): void {
  for (const violation of violations.slice(0, 3)) console.log(`${head}: ${violation}`);
}
