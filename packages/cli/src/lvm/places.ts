import { placeOf } from "../place.ts";
import { splitPlace } from "./arguments.ts";
import { deviceNamed } from "./device-names.ts";
import { devicesOf, isCalled } from "./find-groups.ts";
import type { FoundDevice, FoundVolumes } from "./find-groups.ts";

/**
 * Where new extents may lie, from the words behind a group or volume: "d0.img", "d0.img:0-99", "@tag". Where devices are not named apart,
 * these words say also where to look: an image that is a whole disk then stands for the physical volumes in it.
 */
export function placesOf(
  found: FoundVolumes,
  group: string,
  words: readonly string[],
  areDevicesApart: boolean,
): readonly string[] | undefined {
  if (words.length === 0) return undefined;
  const own = found.groups.filter((one) => isCalled(one, group)).flatMap((one) => devicesOf(found, one));
  const places: string[] = [];
  for (const word of words) {
    if (word.startsWith("@")) {
      places.push(word);
      continue;
    }
    const { device, ranges } = splitPlace(word);
    const path = placeOf(device);
    const isInside = (one: FoundDevice): boolean =>
      one.path !== null && (one.path === path || one.path.startsWith(`${path}/`));
    const inside = own.filter(isInside);
    if (areDevicesApart || ranges !== "") {
      const name = inside.length === 1 ? inside[0]!.name : deviceNamed(found, device).name;
      places.push(name + ranges);
    } else if (inside.length > 0) places.push(...inside.map(({ name }) => name));
    // What lies deeper, in an array or behind a lock, is not to be told by its images.
    else if (!found.devices.some(isInside)) return undefined;
  }
  return places.length === 0 ? undefined : places;
}

/** The devices in words about places. */
export const devicesInPlaces = (words: readonly string[]): readonly string[] =>
  words.filter((word) => !word.startsWith("@")).map((word) => splitPlace(word).device);
