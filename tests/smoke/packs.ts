/** Packed packages, kept below `node_modules/.cache`: what has not changed since is not packed again. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { gzipSync } from "node:zlib";

const top = resolve(import.meta.dirname, "../..");
const KEPT_MS = 3_600_000;
const cache = join(top, "node_modules/.cache/cev-packs");

/** The part of a package.json that is read here. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly bin?: Readonly<Record<string, string>>;
}

/** A package as npm would get it. */
export interface Pack {
  readonly name: string;
  /** Path of the `.tgz`. */
  readonly tarball: string;
}

/** The published packages of this repository: name and folder of each, whether built or not. */
export function publishedPackages(): { manifest: Manifest; folder: string }[] {
  return readdirSync(join(top, "packages"))
    .map((name) => join(top, "packages", name))
    .filter((folder) => existsSync(join(folder, "package.json")))
    .map((folder) => ({ folder, manifest: readManifest(folder) }));
}

/** The published packages, packed as for a release. Throws where one has not been built. */
export function packWorkspace(): Pack[] {
  const packages = publishedPackages().map(({ manifest, folder }) => {
    if (!existsSync(join(folder, "dist/index.js"))) throw new Error(`${folder} is not built: pnpm run build`);
    const tarball = join(cache, `${fileNameOf(manifest)}-${hashOf(folder)}.tgz`);
    return { name: manifest.name, manifest, tarball };
  });
  const missing = packages.filter(({ tarball }) => !existsSync(tarball));
  if (missing.length > 0) {
    inNewFolder((folder) => {
      const filters = missing.flatMap(({ name }) => ["--filter", name]);
      pnpm(top, ...filters, "pack", "--pack-destination", folder);
      for (const { manifest, tarball } of missing)
        renameSync(join(folder, `${fileNameOf(manifest)}-${manifest.version}.tgz`), tarball);
    });
    removeOld(packages.map(({ tarball }) => basename(tarball)));
  }
  return packages.map(({ name, tarball }) => ({ name, tarball }));
}

/** What was packed some time ago and is not what would be packed now. What is young may be in use by another worker. */
function removeOld(current: readonly string[]): void {
  for (const name of readdirSync(cache)) {
    const path = join(cache, name);
    // Another process may have taken it away just now.
    const stat = statSync(path, { throwIfNoEntry: false });
    const isOld = stat !== undefined && Date.now() - stat.mtimeMs > KEPT_MS;
    if (/-[0-9a-f]{24}\.tgz$/.test(name) && !current.includes(name) && isOld) rmSync(path, { force: true });
  }
}

/** A package by somebody else, from where it is installed. */
export function packInstalled(folder: string): Pack {
  const source = realpathSync(folder);
  const { name, version } = readManifest(source);
  const tarball = join(cache, `${fileNameOf({ name })}-${version}.tgz`);
  if (!existsSync(tarball)) {
    inNewFolder((temporary) => {
      const path = join(temporary, basename(tarball));
      writeFileSync(path, gzipSync(tarOf(source), { level: 1 }));
      renameSync(path, tarball);
    });
  }
  return { name, tarball };
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
}

/** Runs the pnpm that this repository is developed with. */
export function pnpm(folder: string, ...rest: string[]): void {
  const { packageManager } = JSON.parse(readFileSync(join(top, "package.json"), "utf8")) as {
    packageManager: string;
  };
  execFileSync("npx", ["-y", "--prefer-offline", packageManager, ...rest], {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
    shell: process.platform === "win32",
  });
}

/** Copies a pack to where it has the name that it would have on a disk of its author's. */
export function copyPack({ name, tarball }: Pack, version: string, folder: string): string {
  const path = join(folder, `${fileNameOf({ name })}-${version}.tgz`);
  copyFileSync(tarball, path);
  return path;
}

const fileNameOf = ({ name }: { readonly name: string }): string => name.replace("@", "").replace("/", "-");

/** Another worker may pack the same at the same time: each does it in a folder of its own, and renames what is whole. */
function inNewFolder(work: (folder: string) => void): void {
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "new-"));
  try {
    work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of all that may go into a pack, and of the versions of what it depends on. */
function hashOf(folder: string): string {
  const hash = createHash("sha256");
  const versions = publishedPackages().map(({ manifest }) => `${manifest.name} ${manifest.version}`);
  hash.update(versions.join("\n"));
  for (const path of filesBelow(folder, (name) => name !== "test"))
    hash.update(`\n${path}\n`).update(readFileSync(join(folder, path)));
  return hash.digest("hex").slice(0, 24);
}

function filesBelow(folder: string, accept: (name: string) => boolean = () => true): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== "node_modules" && accept(name))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) =>
      entry.isDirectory()
        ? filesBelow(join(folder, entry.name)).map((path) => `${entry.name}/${path}`)
        : [entry.name],
    );
}

const BLOCK = 512;

/** A tar archive as npm has them: all below `package/`. */
function tarOf(folder: string): Buffer {
  const parts = filesBelow(folder).flatMap((path) => {
    const bytes = readFileSync(join(folder, path));
    const isProgram = (lstatSync(join(folder, path)).mode & 0o100) !== 0;
    const padding = Buffer.alloc((BLOCK - (bytes.length % BLOCK)) % BLOCK);
    return [tarHeader(`package/${path}`, bytes.length, isProgram), bytes, padding];
  });
  return Buffer.concat([...parts, Buffer.alloc(2 * BLOCK)]);
}

function tarHeader(path: string, length: number, isProgram: boolean): Buffer {
  const header = Buffer.alloc(BLOCK);
  // The old format has 100 bytes for a path; the prefix of the newer one has what comes before.
  const name = Buffer.byteLength(path) <= 100 ? path : basename(path);
  const prefix = name === path ? "" : dirname(path);
  if (Buffer.byteLength(name) > 100 || Buffer.byteLength(prefix) > 155)
    throw new Error(`${path} is too long for a tar archive`);
  const field = (text: string, at: number): number => header.write(text, at);
  field(name, 0);
  field(`${isProgram ? "0000755" : "0000644"}\0`, 100);
  field("0000000\0", 108);
  field("0000000\0", 116);
  field(`${length.toString(8).padStart(11, "0")}\0`, 124);
  field("00000000000\0", 136);
  field("        ", 148);
  field("0", 156);
  field("ustar\x0000", 257);
  field(prefix, 345);
  const sum = header.reduce((total, byte) => total + byte, 0);
  field(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return header;
}
