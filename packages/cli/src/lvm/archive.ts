import { randomInt } from "node:crypto";
import { mkdir, readdir, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { CevError } from "@cev/core";
import { hostError } from "../host-error.ts";

/** Where old texts of groups are kept, and where `vgcfgbackup` puts them. */
export type ArchiveKind = "archive" | "backup";

/** As LVM2 names them, with the place that belongs to a user's programs: no root is needed, and any folder may be one's own. */
export function archiveFolder(kind: ArchiveKind): string {
  const state = process.env["XDG_STATE_HOME"] ?? "";
  return join(state === "" ? join(homedir(), ".local", "state") : state, "cev", "lvm", kind);
}

/** Saves the text of a group before it is changed, under a name of its own: "vg0_00003-118237645.vg". Gives its path. */
export async function archiveText(folder: string, group: string, text: string): Promise<string> {
  try {
    await mkdir(folder, { recursive: true });
    const index = 1 + Math.max(-1, ...(await archived(folder, group)).map((one) => one.index));
    const name = `${group}_${String(index).padStart(5, "0")}-${randomInt(2 ** 31)}.vg`;
    const path = resolve(folder, name);
    await writeFile(path, text, { encoding: "latin1", flag: "wx", mode: 0o600, flush: true });
    return path;
  } catch (error) {
    throw notArchived(folder, error);
  }
}

/** Saves a text to a file of its own, in place of an older one. */
export async function saveText(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text, { encoding: "latin1", mode: 0o600, flush: true });
}

/** The archived texts of a group, oldest first. */
export async function archived(
  folder: string,
  group: string,
): Promise<readonly { readonly index: number; readonly path: string }[]> {
  const names = await readdir(folder).catch(() => []);
  return names
    .flatMap((name) => {
      const match = /^(?<group>.+)_(?<index>\d{5,})-\d+\.vg$/.exec(name)?.groups;
      return match?.["group"] === group
        ? [{ index: Number(match["index"]), path: resolve(folder, name) }]
        : [];
    })
    .toSorted((left, right) => left.index - right.index);
}

/** A change is not made where what it replaces could not be kept. */
function notArchived(folder: string, error: unknown): CevError {
  const { code, message } = hostError(folder, error);
  return new CevError(code, `the text that is replaced could not be saved: ${message}`, {
    source: folder,
    hint: "name another folder with --archive, or add -A n to keep nothing",
    cause: error,
  });
}
