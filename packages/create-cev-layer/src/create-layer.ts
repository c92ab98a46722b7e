import { mkdir, readFile, readdir, stat, writeFile } from "node:fs/promises";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { namesOf } from "./package-name.ts";
import type { Names } from "./package-name.ts";
import { Refusal } from "./refusal.ts";
import type { Versions } from "./versions.ts";

/** The ways to write a layer: actions on the path of a request, or plain `async` methods. */
export const STYLES = ["actions", "async"] as const;
export type Style = (typeof STYLES)[number];

/** What to make, and where. */
export interface CreateLayerOptions {
  /** Made where it is not there; empty, but for a `.git`, where it is. */
  readonly folder: string;
  /** Of the package, as npm knows it. Default: the last part of the folder's path. */
  readonly name?: string;
  /** Default "actions". */
  readonly style?: Style;
  readonly versions: Versions;
}

// npm leaves a `.gitignore` out of what it packs, and other tools take every package.json for one of a package.
const TARGETS: Readonly<Record<string, string>> = {
  _gitignore: ".gitignore",
  "_package.json": "package.json",
};

const templates = fileURLToPath(new URL("../templates", import.meta.url));

/**
 * Writes a package with a layer that works, its driver, its options and its tests. Returns the paths of its files, relative to the
 * folder. Throws a `Refusal`, before anything is written, for a folder that holds something and for a name that npm does not take.
 */
export async function createLayer(options: CreateLayerOptions): Promise<readonly string[]> {
  const { style = "actions", versions } = options;
  const folder = resolve(options.folder);
  const names = namesOf(options.name ?? basename(folder));
  if (!STYLES.includes(style))
    throw new Refusal(`there is no style ${style}; there are ${STYLES.join(", ")}`);
  await checkEmpty(folder);
  const written: string[] = [];
  for (const source of [join(templates, "common"), join(templates, style)]) {
    for (const path of await filesBelow(source)) {
      const text = fill(await readFile(join(source, path), "utf8"), names, versions);
      const target = TARGETS[path] ?? path;
      await mkdir(dirname(join(folder, target)), { recursive: true });
      // Nothing that is there is overwritten, also not what came there meanwhile.
      await writeFile(join(folder, target), text, { flag: "wx" });
      written.push(target);
    }
  }
  return written.sort();
}

async function checkEmpty(folder: string): Promise<void> {
  const entry = await stat(folder).catch(() => null);
  if (entry === null) return;
  if (!entry.isDirectory()) throw new Refusal(`${folder} is not a folder`);
  const others = (await readdir(folder)).filter((name) => name !== ".git");
  if (others.length > 0)
    throw new Refusal(`${folder} is not empty: it holds ${others.slice(0, 3).join(", ")}; name a new folder`);
}

/** Paths of all files below a folder, relative to it. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const paths = await Promise.all(
    entries.map(async (entry) =>
      entry.isDirectory()
        ? (await filesBelow(join(folder, entry.name))).map((path) => join(entry.name, path))
        : [entry.name],
    ),
  );
  return paths.flat();
}

function fill(text: string, names: Names, versions: Versions): string {
  return text
    .replaceAll("__PACKAGE__", names.packageName)
    .replaceAll("__LAYER__", names.layerName)
    .replaceAll("__CLASS__", names.className)
    .replaceAll("__CORE__", versions.core)
    .replaceAll("__TEST_KIT__", versions.testKit)
    .replaceAll("__CLI__", versions.cli);
}
