import type { StackDescription } from "./description.ts";
import { orderEntries } from "./references.ts";

/** The part of a description that some devices need: their entries and all below, without exports. Throws `CEV_NOT_FOUND`. */
export function pickEntries(description: StackDescription, names: readonly string[]): StackDescription {
  const wanted = names.map((name) => ({ name, path: "the call" }));
  const keys = orderEntries(description, "the description", wanted, new Set());
  return { devices: Object.fromEntries(keys.map((key) => [key, description.devices[key]!])) };
}
