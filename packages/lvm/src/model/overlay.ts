import type { ConfigEntry, ConfigScalar, ConfigSection, ConfigValue } from "../text/parser.ts";
import { isList, isSection } from "../text/writer.ts";

/** A key that the model knows, with the value it is to have. */
export interface Field {
  readonly key: string;
  readonly value: ConfigValue;
  /** The value that a missing key stands for: then the key is left out. Without: the key is always written. */
  readonly absent?: ConfigValue;
  /** Written also where it is `absent`, unless there was a section without it: as LVM2 does. */
  readonly isUsual?: boolean;
}

/**
 * The section with the fields as they are to be: known keys keep their places and, where nothing changed, the very words;
 * keys that are not among the fields stay as they are. New keys come behind the field that is before them in the list.
 */
export function overlay(original: ConfigSection | null, fields: readonly Field[]): ConfigSection {
  const before = original?.entries ?? new Map<string, ConfigEntry>();
  const order = [...before.keys()];
  const entries = new Map(before);
  // Where the next new key goes.
  let at = 0;
  let hasNewPlace = false;
  for (const field of fields) {
    const { key, value } = field;
    const old = before.get(key);
    if (!isWritten(field, original)) {
      entries.delete(key);
      continue;
    }
    if (old === undefined) {
      order.splice(at, 0, key);
      hasNewPlace ||= at < order.length - 1;
      at++;
      entries.set(key, { value, offset: 0 });
      continue;
    }
    at = order.indexOf(key) + 1;
    if (!isSame(old.value, value)) entries.set(key, { value, offset: old.offset });
  }
  const offset = original?.offset ?? 0;
  if (!hasNewPlace) return { entries, offset };
  return { entries: new Map(order.flatMap((key) => pairOf(entries, key))), offset };
}

function pairOf(entries: ReadonlyMap<string, ConfigEntry>, key: string): [string, ConfigEntry][] {
  const entry = entries.get(key);
  return entry === undefined ? [] : [[key, entry]];
}

function isWritten({ key, value, absent, isUsual }: Field, original: ConfigSection | null): boolean {
  if (absent === undefined || !isSame(value, absent)) return true;
  const old = original?.entries.get(key);
  // Where a usual key stood it stays: LVM2 refuses a group in which one without flags has no key for them.
  if (old !== undefined) return isUsual === true || isSame(old.value, value);
  return original === null && isUsual === true;
}

/**
 * Puts sections where sections stood (`isSlot`), one by one in their order, and behind all others what is left of them.
 * Where there are fewer than before, the last places go.
 */
export function fillSlots(
  section: ConfigSection,
  isSlot: (key: string, value: ConfigValue) => boolean,
  children: Iterable<readonly [string, ConfigSection]>,
): ConfigSection {
  const entries = new Map<string, ConfigEntry>();
  const rest = children[Symbol.iterator]();
  for (const [key, entry] of section.entries) {
    if (!isSlot(key, entry.value)) {
      entries.set(key, entry);
      continue;
    }
    const next = rest.next();
    if (next.done !== true) entries.set(next.value[0], { value: next.value[1], offset: entry.offset });
  }
  for (let next = rest.next(); next.done !== true; next = rest.next())
    entries.set(next.value[0], { value: next.value[1], offset: 0 });
  return { entries, offset: section.offset };
}

/** True for values that say the same: a list of one is the same as the one. */
function isSame(left: ConfigValue, right: ConfigValue): boolean {
  if (left === right) return true;
  if (isSection(left) || isSection(right))
    return isSection(left) && isSection(right) && left.entries.size === 0 && right.entries.size === 0;
  const lefts = isList(left) ? left : [left];
  const rights = isList(right) ? right : [right];
  return lefts.length === rights.length && lefts.every((value, index) => isSameScalar(value, rights[index]!));
}

function isSameScalar(left: ConfigScalar, right: ConfigScalar): boolean {
  if (typeof left === "object" && typeof right === "object") return left.float === right.float;
  return left === right;
}
