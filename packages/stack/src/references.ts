import { descriptionError, pathText } from "./places.ts";
import { lowersOf } from "./description.ts";
import type { LowerReference, StackDescription } from "./description.ts";

// A request passes all of them within one turn of the event loop.
const DEPTH_MAX = 512;

/** The key of the entry that yields a device of this name: the key itself, or the longest that its children begin with. */
export function entryKeyOf(description: StackDescription, name: string): string | null {
  if (Object.hasOwn(description.devices, name) && !name.endsWith("/*")) return name;
  let best: string | null = null;
  for (const key of Object.keys(description.devices)) {
    const prefix = key.endsWith("/*") ? key.slice(0, -1) : `${key}/`;
    // `disk0/*` before `disk0`: children were asked for by name.
    const length = key.endsWith("/*") ? key.length : key.length + 1;
    if (name.startsWith(prefix) && (best === null || length > best.length)) best = key;
  }
  return best;
}

/**
 * The entries that the named devices need (null: all), each after those it stands on. Unknown names and circles are refused
 * with their place. `given`: devices that are there without an entry.
 */
export function orderEntries(
  description: StackDescription,
  source: string,
  wanted: readonly LowerReference[] | null,
  given: ReadonlySet<string>,
): string[] {
  const order: string[] = [];
  const isDone = new Set<string>();
  const under: string[] = [];

  const visitKey = (key: string, path: string): void => {
    const at = under.indexOf(key);
    if (at >= 0) {
      const circle = [...under.slice(at), key].join(" on ");
      throw descriptionError("CEV_INVALID", source, path, `these stand on one another: ${circle}`);
    }
    if (isDone.has(key)) return;
    if (under.length >= DEPTH_MAX)
      throw descriptionError(
        "CEV_INVALID",
        source,
        path,
        `more than ${DEPTH_MAX} devices stand on one another`,
      );
    under.push(key);
    for (const lower of lowersOf(key, description.devices[key]!)) visit(lower);
    under.pop();
    isDone.add(key);
    order.push(key);
  };
  const visit = (reference: LowerReference): void => {
    if (given.has(reference.name)) return;
    const key = entryKeyOf(description, reference.name);
    if (key !== null) return visitKey(key, reference.path);
    throw descriptionError("CEV_NOT_FOUND", source, reference.path, `there is no device ${reference.name}`, {
      hint: knownNames(description, given),
    });
  };

  if (wanted !== null) wanted.forEach(visit);
  else for (const key of Object.keys(description.devices)) visitKey(key, pathText(["devices", key]));
  return order;
}

function knownNames(description: StackDescription, given: ReadonlySet<string>): string {
  const names = [...given, ...Object.keys(description.devices)];
  return names.length === 0 ? "there are no devices at all" : `there are ${names.join(", ")}`;
}
