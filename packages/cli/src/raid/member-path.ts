import { statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { isUri } from "@cev/stack";
import type { StackDevice } from "@cev/stack";
import { placeOf } from "../place.ts";

/** Where a device lies: the absolute path of its file, and of a partition that and "/p1"; of an export its URI; null: that cannot be said so. */
export function memberPath({ name, details, lowers }: StackDevice): string | null {
  const { path, uri } = details;
  if (typeof path === "string") return path;
  if (typeof uri === "string") return placeOf(uri);
  const [lower] = lowers;
  if (lower === undefined || lowers.length > 1 || !name.startsWith(`${lower.name}/`)) return null;
  const below = memberPath(lower);
  return below === null || isUri(below) ? null : below + name.slice(lower.name.length);
}

/** The file in which a device lies that is named by its path, and what follows: "/p1", or "" for the file itself, and for a URI. */
export function splitPath(path: string): { readonly image: string; readonly inner: string } {
  if (isUri(path)) return { image: path, inner: "" };
  const full = resolve(path);
  for (let image = full; image !== dirname(image); image = dirname(image)) {
    const facts = statSync(image, { throwIfNoEntry: false });
    if (facts?.isDirectory() === true) break;
    if (facts !== undefined) return { image, inner: full.slice(image.length) };
  }
  return { image: full, inner: "" };
}
