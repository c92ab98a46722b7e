import { open, unlink } from "node:fs/promises";
import { CevError } from "@cev/core";
import { hostError } from "../host-error.ts";
import { isThere } from "../place.ts";

/** Devices that are not there yet: those that are to be made as images. */
export function absentAmong(devices: readonly string[], canMake: boolean): readonly string[] {
  const absent = devices.filter((path) => !isThere(path) && !isInside(path));
  if (absent.length > 0 && !canMake)
    throw new CevError("CEV_NOT_FOUND", "there is no such file", {
      source: absent[0]!,
      hint: "check the path, or add --make-images SIZE to have it made",
    });
  return absent;
}

/** A name of something found in images ("md/data", "disk.img/p1") is no path of a file to be made. */
function isInside(path: string): boolean {
  return path.startsWith("md/") || path.startsWith("luks/") || /\.[^/]*\/p\d+$/.test(path);
}

/** Makes sparse image files. Those that were made are removed again where one cannot be. */
export async function makeImages(paths: readonly string[], size: number): Promise<void> {
  const made: string[] = [];
  try {
    for (const path of paths) {
      const file = await open(path, "wx").catch((error: unknown) => {
        throw hostError(path, error);
      });
      made.push(path);
      try {
        await file.truncate(size);
      } finally {
        await file.close();
      }
    }
  } catch (error) {
    await removeImages(made);
    throw error;
  }
}

export async function removeImages(paths: readonly string[]): Promise<void> {
  for (const path of paths) await unlink(path).catch(() => undefined);
}
