import type { Problem } from "@cev/core";
import type { DeviceEntry, StackDescription } from "../description.ts";
import type { DeviceRecord } from "../stack-device.ts";
import type { FoundEntry } from "./discovery.ts";

/** Names, as they stand when everything has been found. */
export interface Naming {
  readonly devices: StackDescription["devices"];
  /** Further names: what a device would be called if nothing else were, and with its lower in any case. */
  readonly aliases: ReadonlyMap<string, readonly DeviceRecord[]>;
  readonly problems: readonly Problem[];
}

/**
 * Gives every device its final name, and describes the entries. Names that two different things claim are told apart by
 * what they stand on (`luks/UUID@disk0.img`): none of them gets the plain one.
 */
export function nameEntries(entries: readonly FoundEntry[], images: readonly DeviceRecord[]): Naming {
  const oldNames = new Map(entries.flatMap((one) => one.devices).map((device) => [device, device.name]));
  const taken = new Set(images.map((one) => one.name));
  const aliases = new Map<string, DeviceRecord[]>();
  const devices: Record<string, DeviceEntry> = {};
  const wanted = new Map<string, number>();
  for (const entry of entries) {
    for (const name of new Set(plainNames(entry, oldNames))) wanted.set(name, (wanted.get(name) ?? 0) + 1);
  }
  for (const entry of entries) {
    if (
      entry.devices.length === 0 ||
      entry.devices.every((one) => one.layer === null && one.state !== "locked")
    )
      continue;
    const plain = plainNames(entry, oldNames);
    const isAmbiguous = plain.some((name) => (wanted.get(name) ?? 0) > 1 || taken.has(name));
    let suffix = `@${entry.lowers[0]?.name ?? ""}`;
    while (plain.some((_, index) => taken.has(nameOf(entry, plain, index, suffix)))) suffix += "+";
    for (const [index, device] of entry.devices.entries()) {
      const full = nameOf(entry, plain, index, suffix);
      device.name = isAmbiguous ? full : plain[index]!;
      taken.add(device.name);
      append(aliases, plain[index]!, device);
      append(aliases, full, device);
    }
    const keys = new Set(entry.devices.map((one) => keyOf(entry, one.name)));
    for (const key of isParent(entry) ? keys : [entry.devices[0]!.name])
      devices[key] = {
        driver: entry.driver.name,
        lowers: (keys.size > 1 ? lowersBelow(entry, key) : entry.lowers).map((one) => one.name),
        ...entry.options,
      };
  }
  const problems = [...aliases].flatMap(([name, several]) =>
    several.length > 1 ? [ambiguous(name, several)] : [],
  );
  return { devices, aliases, problems };
}

/** Names without regard to other things; a partition's begins with the final name of its disk. */
function plainNames(entry: FoundEntry, oldNames: ReadonlyMap<DeviceRecord, string>): string[] {
  const lower = entry.lowers[0];
  const oldLowerName = lower === undefined ? undefined : oldNames.get(lower);
  return entry.devices.map((device) => {
    const name = oldNames.get(device) ?? device.name;
    const isBelowLower = oldLowerName !== undefined && name.startsWith(`${oldLowerName}/`);
    return isBelowLower ? `${lower!.name}${name.slice(oldLowerName.length)}` : name;
  });
}

/** `md/data@disk0.img`, and for children `vg0@disk0.img/root`. */
function nameOf(entry: FoundEntry, plain: readonly string[], index: number, suffix: string): string {
  const name = plain[index]!;
  if (!isParent(entry)) return name + suffix;
  const at = name.lastIndexOf("/");
  return `${name.slice(0, at)}${suffix}${name.slice(at)}`;
}

function keyOf(entry: FoundEntry, name: string): string {
  return isParent(entry) ? `${name.slice(0, name.lastIndexOf("/"))}/*` : name;
}

/** What some of an entry's devices stand on: those of one of several groups that were opened together. */
function lowersBelow(entry: FoundEntry, key: string): readonly DeviceRecord[] {
  const devices = entry.devices.filter((one) => keyOf(entry, one.name) === key);
  return entry.lowers.filter((lower) => devices.some((one) => one.lowers.includes(lower)));
}

const isParent = ({ driver, devices }: FoundEntry): boolean =>
  driver.yieldsChildren === true || devices.length > 1;

function append(map: Map<string, DeviceRecord[]>, name: string, device: DeviceRecord): void {
  const list = map.get(name);
  if (list === undefined) map.set(name, [device]);
  else if (!list.includes(device)) list.push(device);
}

function ambiguous(name: string, several: readonly DeviceRecord[]): Problem {
  const each = several.map((one) => `${one.name} (on ${one.lowers.map((lower) => lower.name).join(", ")})`);
  return {
    severity: "error",
    code: "CEV_AMBIGUOUS",
    message: `several things have the name or UUID ${name}: ${each.join(" and ")}; use these longer names, or leave one of the images out`,
    device: several[0]!.name,
  };
}
