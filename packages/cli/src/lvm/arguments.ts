import { statSync } from "node:fs";
import { isStackFilePath, isUri } from "@cev/stack";
import { placeOf } from "../place.ts";
import { splitPath } from "../raid/member-path.ts";
import { UsageError } from "../usage-error.ts";

/** Words of a command line: names of groups and volumes, and devices. */
export interface SplitWords {
  readonly names: readonly string[];
  /** Paths of images, of partitions in them, or one stack file. */
  readonly devices: readonly string[];
}

/**
 * Tells names from devices: a word is a device where there is such a file, or a file in which it would lie. Where devices are
 * named apart, all words are names.
 */
export function splitWords(words: readonly string[], areDevicesApart: boolean): SplitWords {
  if (areDevicesApart) return { names: words, devices: [] };
  const devices = words.filter(isDevicePath);
  return { names: words.filter((word) => !devices.includes(word)), devices };
}

/** True for the path of an image, a partition in one, a stack file, and for a URI. */
export function isDevicePath(word: string): boolean {
  if (isUri(word) || isStackFilePath(word)) return true;
  return statSync(splitPath(word).image, { throwIfNoEntry: false }) !== undefined;
}

/** The files to look into: those named apart, and those in which devices lie that the command is about. */
export function sourcesOf(
  apart: readonly string[] | undefined,
  devices: readonly string[],
): readonly string[] {
  const files = new Map<string, string>();
  // LVM2 takes lists with commas, too.
  const listed = (apart ?? []).flatMap((text) => (isDevicePath(text) ? [text] : text.split(",")));
  // What is no path may be a name of what is found in there: "md/data".
  const further = apart === undefined ? devices : devices.filter(isDevicePath);
  for (const path of [...listed, ...further]) {
    if (path === "") continue;
    const file = isStackFilePath(path) ? path : imageOf(path);
    const full = placeOf(file);
    if (!files.has(full)) files.set(full, file);
  }
  if (files.size === 0)
    throw new UsageError(
      "name the devices to look at: image files, partitions in them, or a stack file with --devices",
    );
  return [...files.values()];
}

/** The image in which a device lies, as it was named where it is one itself. */
function imageOf(path: string): string {
  const { image, inner } = splitPath(path);
  return inner === "" ? path : image;
}

/** "d0.img:0-99": the device, and what follows. */
export function splitPlace(word: string): { readonly device: string; readonly ranges: string } {
  if (isDevicePath(word)) return { device: word, ranges: "" };
  const colon = word.indexOf(":");
  return colon < 0
    ? { device: word, ranges: "" }
    : { device: word.slice(0, colon), ranges: word.slice(colon) };
}

/** "vg0/root": the group and the volume. Paths as LVM2 shows them say the same: "/dev/vg0/root", "/dev/mapper/vg0-root". */
export function splitVolume(word: string): { readonly group: string; readonly volume: string | null } {
  const mapped = /^\/dev\/mapper\/(?<group>(?:[^-]|--)+)-(?<volume>[^-].*)$/.exec(word)?.groups;
  if (mapped !== undefined)
    return {
      group: mapped["group"]!.replaceAll("--", "-"),
      volume: mapped["volume"]!.replaceAll("--", "-"),
    };
  const plain = word.replace(/^\/dev\//, "");
  const slash = plain.indexOf("/");
  return slash < 0
    ? { group: plain, volume: null }
    : { group: plain.slice(0, slash), volume: plain.slice(slash + 1) };
}
