import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startServer } from "./contestants.ts";
import type { Contestant, ServerCommand } from "./contestants.ts";

/** Of nbd-server, which has no default one; all others have it by this name, too. */
export const EXPORT_NAME = "default";

/** Of the cev that does short writes to a file on its main thread. */
export const AT_ONCE = "cev, at once";

/** The servers over memory. `folder`: for sockets and images, in memory itself; `size` in bytes. */
export function memoryServers(folder: string, size: number): Promise<Contestant[]> {
  const image = newImage(folder, "qemu-nbd.img", size);
  return startAll(folder, [
    { name: "cev", commandOf: (path) => cevServer(path, `--size=${size}`) },
    { name: "nbdkit", commandOf: (path) => ["nbdkit", "-f", "-U", path, "memory", String(size)] },
    { name: "qemu-nbd", commandOf: (path) => qemuServer(path, image) },
    nbdServer(folder, size),
    { name: "cev, no poll", commandOf: (path) => cevServer(path, `--size=${size}`, "--busy-poll-us=0") },
  ]);
}

/** The servers over a file each. `folder`: where these are; `size` in bytes. */
export function fileServers(folder: string, size: number): Promise<Contestant[]> {
  const image = (name: string): string => newImage(folder, `${name}.img`, size);
  return startAll(folder, [
    { name: "cev", commandOf: (path) => cevServer(path, `--file=${image("cev")}`) },
    {
      name: AT_ONCE,
      commandOf: (path) => cevServer(path, `--file=${image("cev-at-once")}`, "--write-at-once"),
    },
    { name: "nbdkit", commandOf: (path) => ["nbdkit", "-f", "-U", path, "file", image("nbdkit")] },
    { name: "qemu-nbd", commandOf: (path) => qemuServer(path, image("qemu-nbd")) },
  ]);
}

interface Starting extends Pick<ServerCommand, "name" | "pidFile"> {
  readonly commandOf: (path: string) => readonly string[];
}

async function startAll(folder: string, servers: readonly Starting[]): Promise<Contestant[]> {
  mkdirSync(folder, { recursive: true });
  const started: Contestant[] = [];
  for (const { commandOf, ...server } of servers) {
    const path = join(folder, `${server.name.replaceAll(/\W/g, "")}.sock`);
    const contestant = await startServer({
      ...server,
      path,
      command: commandOf(path),
      exportName: EXPORT_NAME,
    });
    if (contestant !== null) started.push(contestant);
  }
  return started;
}

/**
 * Bytes that are no holes: whoever keeps a list of those would win by it. Written in small pieces: a system that gets long ones
 * keeps them in one piece in its page cache, and each small write then takes it longer than any server does.
 */
function newImage(folder: string, name: string, size: number): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  const file = openSync(path, "w");
  const block = new Uint8Array(4096).fill(0x5a);
  for (let offset = 0; offset < size; offset += block.length) writeSync(file, block);
  closeSync(file);
  return path;
}

function cevServer(path: string, ...words: readonly string[]): readonly string[] {
  return [process.execPath, fileURLToPath(new URL("serve.ts", import.meta.url)), path, ...words];
}

function qemuServer(path: string, image: string): readonly string[] {
  const options = ["-t", "-f", "raw", "-e", "64", "-x", EXPORT_NAME, "--discard=unmap"];
  return ["qemu-nbd", ...options, "-k", path, image];
}

/** It goes into the background, and makes a process per connection. */
function nbdServer(folder: string, size: number): Starting {
  const pidFile = join(folder, "nbd-server.pid");
  const configuration = join(folder, "nbd-server.conf");
  return {
    name: "nbd-server",
    pidFile,
    commandOf: (path) => {
      const image = newImage(folder, "nbd-server.img", size);
      const lines = ["[generic]", `unixsock = ${path}`, `[${EXPORT_NAME}]`, `exportname = ${image}`];
      writeFileSync(configuration, `${lines.join("\n")}\n`);
      return ["nbd-server", "-C", configuration, "-p", pidFile];
    },
  };
}
