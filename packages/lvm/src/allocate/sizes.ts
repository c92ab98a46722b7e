import { CevError, SIZE_MAX } from "@cev/core";
import type { VolumeGroup } from "../model/group.ts";
import { show } from "../text/parser.ts";

const SIZE = /^([-+]?)(\d+(?:\.\d*)?|\.\d+)([bskmgtpe]?)b?$/i;
const EXTENTS = /^([-+]?)(\d+)(?:%(VG|FREE|PVS|ORIGIN|LV))?$/i;
const UNITS: Readonly<Record<string, number>> = {
  b: 1,
  s: 512,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
  p: 2 ** 50,
  e: 2 ** 60,
};

/** Whether an amount stands by itself, or is added or taken away. */
export type Sign = "" | "+" | "-";

/** What a share is a share of. */
export type ShareOf = "VG" | "FREE" | "PVS" | "ORIGIN" | "LV";

/** An amount as it was asked for. */
export type Amount =
  | { readonly kind: "bytes"; readonly sign: Sign; readonly bytes: number }
  | { readonly kind: "extents"; readonly sign: Sign; readonly extentCount: number }
  | { readonly kind: "share"; readonly sign: Sign; readonly percent: number; readonly of: ShareOf };

/** Reads the text of a size, with or without a sign; see `SizeText`. Throws `CEV_INVALID`. */
export function parseSize(
  text: number | string,
  what: string,
): { readonly sign: Sign; readonly bytes: number } {
  const match = typeof text === "number" ? null : SIZE.exec(text);
  const unit = UNITS[(match?.[3] === "" ? "m" : (match?.[3] ?? "")).toLowerCase()] ?? Number.NaN;
  const bytes = typeof text === "number" ? text : Math.round(Number(match?.[2]) * unit);
  if (bytes > SIZE_MAX)
    throw new CevError("CEV_INVALID", `${what}: ${show(String(text))} is more than any device has`);
  if (!(Number.isSafeInteger(bytes) && bytes >= 0))
    throw new CevError("CEV_INVALID", `${what}: ${show(String(text))} is no size`, {
      hint: "a size is a number with one of the letters b s k m g t p e behind it; without one it is in MiB",
    });
  return { sign: (match?.[1] ?? "") as Sign, bytes };
}

/** A size without a sign, in bytes. Throws `CEV_INVALID`. */
export function parsePlainSize(text: number | string, what: string): number {
  const { sign, bytes } = parseSize(text, what);
  if (sign === "") return bytes;
  throw new CevError("CEV_INVALID", `${what}: ${show(String(text))} has a sign, which makes no sense here`);
}

/** Reads what `-L` or `-l` was given, of which there is one. Throws `CEV_INVALID`. */
export function parseAmount(size: number | string | undefined, extents: number | string | undefined): Amount {
  if ((size === undefined) === (extents === undefined))
    throw new CevError("CEV_INVALID", "give either a size or a number of extents");
  if (size !== undefined) return { kind: "bytes", ...parseSize(size, "the size") };
  const match = EXTENTS.exec(String(extents));
  const count = Number(match?.[2]);
  if (match === null || count >= 2 ** 32)
    throw new CevError("CEV_INVALID", `${show(String(extents))} is no number of extents`, {
      hint: "such as 100, +100, 50%VG or 100%FREE",
    });
  const sign = match[1] as Sign;
  const of = match[3]?.toUpperCase() as ShareOf | undefined;
  if (of === undefined) return { kind: "extents", sign, extentCount: count };
  if (count > 100 && of !== "ORIGIN" && of !== "LV")
    throw new CevError("CEV_INVALID", `${count}%${of} is more than there is`);
  return { kind: "share", sign, percent: count, of };
}

/** Extents that hold so many bytes: up to the next whole one, or for what is taken away down. */
export function extentsOf(bytes: number, { extentSize }: VolumeGroup, sign: Sign = ""): number {
  return sign === "-" ? Math.floor(bytes / extentSize) : Math.ceil(bytes / extentSize);
}

/** A share in whole extents. */
export function shareOf(percent: number, extentCount: number, round: "up" | "down"): number {
  const exact = (percent * extentCount) / 100;
  return round === "up" ? Math.ceil(exact) : Math.floor(exact);
}
