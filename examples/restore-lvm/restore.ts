import { readdir } from "node:fs/promises";
import { basename, join, resolve } from "node:path";
import { standardDrivers } from "@cev/cli";
import { CevError, environmentFrom } from "@cev/core";
import type { Problem } from "@cev/core";
import { readFromExt4 } from "@cev/example-restore-file";
import { openImages } from "@cev/stack";
import type { Stack } from "@cev/stack";

/** What to take out of which backups. */
export interface RestoreRequest {
  /** Folders, each with images of all disks of one group. */
  readonly backups: readonly string[];
  /** "vg0/root". */
  readonly volume: string;
  /** Within the file system on the volume. */
  readonly path: string;
}

/** A file as one backup has it. */
export interface RestoredFile {
  readonly backup: string;
  /** What the volume is called among the others. */
  readonly volume: string;
  readonly data: Uint8Array;
}

/** Reads a file out of each backup. All of them are open at once; none is written. */
export async function restoreFile(
  { backups, volume, path }: RestoreRequest,
  report: (problem: Problem) => void,
): Promise<RestoredFile[]> {
  const images = (await Promise.all(backups.map(imagesIn))).flat();
  await using stack = await openImages(images, {
    environment: environmentFrom(globalThis),
    drivers: standardDrivers(),
  });
  for (const problem of stack.problems) report(problem);
  const files: RestoredFile[] = [];
  for (const backup of backups) {
    const name = volumeIn(stack, backup, volume);
    files.push({ backup, volume: name, data: await readFromExt4(await stack.open(name), path) });
  }
  return files;
}

async function imagesIn(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => name.endsWith(".img"))
    .toSorted()
    .map((name) => resolve(folder, name));
}

/** Groups of one name are told apart by the folders their disks lie in: "vg0@monday/root". */
function volumeIn(stack: Stack, backup: string, volume: string): string {
  const [group = "", name = ""] = volume.split("/");
  const known = stack.devices.map((device) => device.name);
  const apart = join(`${group}@${basename(resolve(backup))}`, name);
  const found = known.find((one) => one === apart) ?? known.find((one) => one === volume);
  if (found !== undefined) return found;
  throw new CevError("CEV_NOT_FOUND", `there is no volume ${volume} in ${backup}`, {
    hint: `there are ${known.join(", ")}`,
  });
}
