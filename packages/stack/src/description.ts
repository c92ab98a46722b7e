import type { Json } from "@cev/core";
import * as v from "valibot";
import { optionProperties } from "./options-schema.ts";
import type { AnyDriver } from "./registry.ts";
import { descriptionError, pathText } from "./places.ts";

/** One device of a description: its driver, the devices it stands on, and the driver's options beside them. */
export interface DeviceEntry {
  readonly driver: string;
  /** `lower`, `lowers` and `members` all name the devices below; one of them is given. */
  readonly lower?: string;
  readonly lowers?: readonly string[];
  readonly members?: readonly string[];
  /** This device is not written, whatever the stack is opened for. */
  readonly readOnly?: boolean;
  readonly [option: string]: Json | undefined;
}

/**
 * A whole stack as plain data, the same in a file and in a call. A key that ends in `/*` is no device itself: its children
 * are named by what stands before the star.
 */
export interface StackDescription {
  readonly devices: { readonly [name: string]: DeviceEntry };
  /** Names for those outside, and the devices they stand for. */
  readonly exports?: { readonly [name: string]: string };
}

const name = v.pipe(v.string("must be text"), v.nonEmpty("must not be empty"));
const names = v.array(name, "must be a list of device names");
const entrySchema = v.looseObject(
  {
    driver: name,
    lower: v.optional(name),
    lowers: v.optional(names),
    members: v.optional(names),
    readOnly: v.optional(v.boolean("must be true or false")),
  },
  (issue) => (issue.received === "undefined" ? "is missing" : "must be a mapping"),
);
const MAPPING = "must be a mapping from names to devices";
const mapping = v.custom<Record<string, unknown>>(
  (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  (issue) => (issue.received === "undefined" ? "is missing" : MAPPING),
);
const schema = v.strictObject(
  {
    devices: v.pipe(mapping, v.record(name, entrySchema, MAPPING)),
    exports: v.optional(v.pipe(mapping, v.record(name, name, MAPPING))),
  },
  (issue) =>
    issue.expected === "never"
      ? "is not known here; a stack has devices and exports"
      : issue.received === "undefined"
        ? "is missing"
        : "must be a mapping",
);

/** Checks the shape of a description, before any driver is asked. `source`: the file, for messages. */
export function checkDescription(value: unknown, source: string): StackDescription {
  refuseNames(value, source);
  const result = v.safeParse(schema, value);
  if (!result.success) {
    const [issue] = result.issues;
    const keys = issue.path?.map((item) => item.key as PropertyKey) ?? [];
    const path = keys.length === 0 ? "the stack" : pathText(keys);
    throw descriptionError("CEV_INVALID", source, path, issue.message);
  }
  const description = result.output as StackDescription;
  for (const [key, entry] of Object.entries(description.devices)) {
    const given = LOWER_KEYS.filter((lowerKey) => entry[lowerKey] !== undefined);
    if (given.length > 1) {
      throw descriptionError(
        "CEV_INVALID",
        source,
        pathText(["devices", key, given[1]!]),
        `${given[0]!} is there as well`,
        { hint: "lower, lowers and members mean the same: use one of them" },
      );
    }
  }
  return description;
}

// JavaScript gives these names a meaning.
const RESERVED_NAMES = ["__proto__", "constructor", "prototype"];

/** True for what one device can be called in a description. */
export const isDeviceName = (name: string): boolean =>
  name !== "" && !name.endsWith("/*") && !RESERVED_NAMES.includes(name);

/** What the check below would leave out without a word. */
function refuseNames(value: unknown, source: string): void {
  for (const section of ["devices", "exports"]) {
    const entries: unknown =
      typeof value === "object" && value !== null
        ? Object.getOwnPropertyDescriptor(value, section)?.value
        : null;
    if (typeof entries !== "object" || entries === null) continue;
    const name = RESERVED_NAMES.find((one) => Object.hasOwn(entries, one));
    if (name === undefined) continue;
    throw descriptionError("CEV_INVALID", source, pathText([section, name]), "this name cannot be used", {
      hint: "choose another name",
    });
  }
}

const LOWER_KEYS = ["lower", "lowers", "members"] as const;

/** A device that another stands on, and where that is written. */
export interface LowerReference {
  readonly name: string;
  readonly path: string;
}

/** What an entry stands on, in its order. */
export function lowersOf(key: string, entry: DeviceEntry): LowerReference[] {
  if (entry.lower !== undefined) {
    return [{ name: entry.lower, path: pathText(["devices", key, "lower"]) }];
  }
  const listKey = entry.members === undefined ? "lowers" : "members";
  return (entry[listKey] ?? []).map((lower, index) => ({
    name: lower,
    path: pathText(["devices", key, listKey, index]),
  }));
}

/** The options of an entry that are the driver's own. */
export function optionsOf(entry: DeviceEntry, driver: AnyDriver): { [key: string]: Json } {
  const known = optionProperties(driver);
  const own = new Set<string>(["driver", ...LOWER_KEYS]);
  // The stack acts on these itself; a driver that lists them as options of its own is handed them as well.
  for (const key of ["readOnly", "passphrase", "keyFile"]) {
    if (!Object.hasOwn(known, key)) own.add(key);
  }
  return Object.fromEntries(
    Object.entries(entry).filter(
      (pair): pair is [string, Json] => !own.has(pair[0]) && pair[1] !== undefined,
    ),
  );
}
