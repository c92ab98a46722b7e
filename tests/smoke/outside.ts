/** A project outside this workspace that has the packed packages installed, as a user would have them. */
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { copyPack, packWorkspace, pnpm, publishedPackages } from "./packs.ts";
import type { Manifest } from "./packs.ts";

export interface PackedPackage {
  readonly manifest: Manifest;
  readonly folder: string;
  readonly tarball: string;
}

export interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

/** Packs every published package into `folder`; throws where one has not been built. */
export function packAll(folder: string): PackedPackage[] {
  const packs = new Map(packWorkspace().map((pack) => [pack.name, pack]));
  return publishedPackages().map((one) => {
    const pack = packs.get(one.manifest.name)!;
    return { ...one, tarball: copyPack(pack, one.manifest.version, folder) };
  });
}

/** A project in a folder of its own under the system's temporary directory; `using` removes it. */
export class OutsideProject implements Disposable {
  readonly folder: string;
  readonly packages: readonly PackedPackage[];

  /** Packs the workspace and installs the tarballs, with `extra` dependencies (name to specifier) beside them. */
  constructor(extra: Readonly<Record<string, string>> = {}) {
    this.folder = mkdtempSync(join(tmpdir(), "cev-outside-"));
    const tarballs = join(this.folder, "tarballs");
    mkdirSync(tarballs);
    this.packages = packAll(tarballs);
    const own = Object.fromEntries(this.packages.map((one) => [one.manifest.name, `file:${one.tarball}`]));
    this.write(
      "package.json",
      json({ name: "outside", private: true, type: "module", dependencies: { ...own, ...extra } }),
    );
    this.write("pnpm-workspace.yaml", json({ overrides: { ...own, ...linkedDependencies(this.packages) } }));
    pnpm(this.folder, "install", "--offline", "--no-frozen-lockfile");
  }

  write(name: string, text: string): string {
    const path = join(this.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  /** Runs a program in the project and returns its exit status and all it printed. */
  run(command: string, ...rest: string[]): Outcome {
    const { status, stdout, stderr, error } = spawnSync(command, rest, {
      cwd: this.folder,
      encoding: "utf8",
    });
    if (error) throw error;
    return { status, output: stdout + stderr };
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * What the packages need from others is linked from where the workspace has it, so that the project installs without
 * a registry. The packages themselves come from their tarballs alone.
 */
function linkedDependencies(packages: readonly PackedPackage[]): Record<string, string> {
  const links: Record<string, string> = {};
  for (const { manifest, folder } of packages) {
    for (const name of Object.keys(manifest.dependencies ?? {})) {
      if (!name.startsWith("@cev/")) links[name] = `link:${realpathSync(join(folder, "node_modules", name))}`;
    }
  }
  return links;
}

/** The program `node` of a version that npm has as a package for one platform; undefined on others. */
export function installedNode(name: string): string | undefined {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${name}/package.json`)), "bin/node");
  } catch {
    return undefined;
  }
}

const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
