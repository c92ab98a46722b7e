/** A small npm registry on this machine: the packed packages of this repository, and whatever they need from others. */
import { createHash } from "node:crypto";
import { readFileSync, realpathSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { createRequire } from "node:module";
import type { AddressInfo } from "node:net";
import { basename, dirname, join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { packInstalled, packWorkspace, publishedPackages, readManifest } from "./packs.ts";
import type { Manifest, Pack } from "./packs.ts";

const top = resolve(import.meta.dirname, "../..");

interface Served {
  readonly pack: Pack;
  readonly manifest: Manifest;
  readonly integrity: string;
}

/** Serves on 127.0.0.1 until it is closed. `using` does that. */
export class LocalRegistry implements AsyncDisposable {
  readonly url: string;
  /** Paths that were asked for and are not there. */
  readonly missed: readonly string[];
  readonly #server: Server;

  private constructor(server: Server, missed: readonly string[]) {
    this.#server = server;
    this.missed = missed;
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  }

  /** `extra`: packages of the workspace's `node_modules` that are offered beside those that the packages depend on. */
  static async start(extra: readonly string[] = []): Promise<LocalRegistry> {
    const served = new Map<string, Served>();
    for (const pack of [...packWorkspace(), ...closureOf(extra).map(packInstalled)]) {
      const bytes = readFileSync(pack.tarball);
      const integrity = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
      served.set(pack.name, { pack, manifest: manifestIn(bytes), integrity });
    }
    const missed: string[] = [];
    const server = createServer((request, response) => answer(request, response, served, missed));
    await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
    return new LocalRegistry(server, missed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((closed) => this.#server.close(closed));
  }
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  served: ReadonlyMap<string, Served>,
  missed: string[],
): void {
  const path = decodeURIComponent((request.url ?? "/").slice(1).replace(/\?.*$/, ""));
  const reply = (status: number, body: string | Buffer, type = "application/json"): void => {
    response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(body) });
    response.end(body);
  };
  if (path.startsWith("-/npm/v1/security/")) return reply(200, "{}");
  const tarball = /^-\/packs\/(.+)\.tgz$/.exec(path);
  const one = served.get(tarball?.[1] ?? path);
  if (one === undefined) {
    missed.push(path);
    return reply(404, JSON.stringify({ error: "not found" }));
  }
  if (tarball !== null) return reply(200, readFileSync(one.pack.tarball), "application/octet-stream");
  const { name, version } = one.manifest;
  const dist = {
    tarball: `http://${request.headers.host ?? ""}/-/packs/${encodeURIComponent(name)}.tgz`,
    integrity: one.integrity,
  };
  // What is only for other platforms is not here.
  const optional = Object.entries(one.manifest.optionalDependencies ?? {}).filter(([other]) =>
    served.has(other),
  );
  const manifest = { ...one.manifest, optionalDependencies: Object.fromEntries(optional), dist };
  reply(200, JSON.stringify({ name, "dist-tags": { latest: version }, versions: { [version]: manifest } }));
}

/** Folders of all that the packages of this repository and `extra` depend on, from elsewhere. */
function closureOf(extra: readonly string[]): string[] {
  const folders = new Set<string>();
  const visit = (folder: string): void => {
    if (folders.has(folder)) return;
    folders.add(folder);
    visitDependencies(folder, readManifest(folder));
  };
  const visitDependencies = (folder: string, manifest: Manifest): void => {
    const names = Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies });
    for (const name of names) {
      const found = name.startsWith("@cev/") ? null : installedBeside(folder, name);
      if (found !== null) visit(found);
      else if (name in (manifest.dependencies ?? {}) && !name.startsWith("@cev/"))
        throw new Error(`${manifest.name} depends on ${name}, which is not installed`);
    }
  };
  for (const { folder, manifest } of publishedPackages()) visitDependencies(folder, manifest);
  for (const name of extra) visit(realpathSync(join(top, "node_modules", name)));
  return [...folders];
}

/** Where a package sees another one: in its own `node_modules`, or, as pnpm links them, in the one that it lies in. */
function installedBeside(folder: string, name: string): string | null {
  const { resolve: find } = createRequire(join(folder, "package.json"));
  for (const parent of find.paths(name) ?? []) {
    try {
      return realpathSync(join(parent, name));
    } catch {
      continue;
    }
  }
  return null;
}

/** The package.json in a tarball: what pnpm wrote there, with versions in the place of the workspace's. */
function manifestIn(tarball: Buffer): Manifest {
  const tar = gunzipSync(tarball);
  for (let at = 0; at + 512 <= tar.length;) {
    const path = tar.toString("utf8", at, at + 100).replace(/\0.*$/s, "");
    const length = Number.parseInt(tar.toString("latin1", at + 124, at + 135), 8);
    if (dirname(path) === "package" && basename(path) === "package.json")
      return JSON.parse(tar.toString("utf8", at + 512, at + 512 + length)) as Manifest;
    at += 512 + Math.ceil(length / 512) * 512;
  }
  throw new Error("a tarball without a package.json");
}
