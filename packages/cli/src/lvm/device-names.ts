import { CevError } from "@cev/core";
import type { Stack, StackDevice } from "@cev/stack";
import { placeOf } from "../place.ts";
import { memberPath } from "../raid/member-path.ts";
import type { FoundDevice, FoundVolumes } from "./find-groups.ts";

/** The physical volume that a word means: a name as `cev inspect` shows it, a path, or a UUID. */
export function deviceNamed({ devices, groups }: FoundVolumes, word: string): FoundDevice {
  const path = placeOf(word);
  const found =
    devices.find(({ name }) => name === word) ??
    devices.find((one) => one.path !== null && one.path === path);
  if (found !== undefined) return found;
  for (const { members } of groups)
    for (const { physicalVolume, scanIndex } of members)
      if (physicalVolume.uuid === word && scanIndex !== null) return devices[scanIndex]!;
  throw new CevError("CEV_NOT_FOUND", `${word} is no physical volume`, {
    hint: `there ${devices.length > 1 ? "are" : "is"} ${devices.map(({ name }) => name).join(", ") || "none"}`,
  });
}

/** The device of a stack that a word means, whatever it carries. */
export function recordNamed(stack: Stack, word: string): StackDevice {
  return stack.devices.find((one) => isMeant(one, word)) ?? stack.find(word);
}

/** True where a word is the device's name, or the path it lies at. */
export function isMeant(record: StackDevice, word: string): boolean {
  return record.name === word || memberPath(record) === placeOf(word);
}
