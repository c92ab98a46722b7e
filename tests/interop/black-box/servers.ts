import { chmodSync, existsSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { createConnection } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ServerKind } from "./options.ts";
import { SOURCE_WORDS } from "../../../scripts/run-source.ts";

/** What is to be served, and where. */
export interface Service {
  /** Each is an export by the name of its file. Foreign servers get the first. */
  readonly files: readonly string[];
  readonly address: { readonly socket: string } | { readonly port: number };
  readonly isReadOnly?: boolean;
  /** A folder with certificates: TLS is required, and clients have to show one. */
  readonly certificates?: string;
  readonly pskFile?: string;
}

/** A shell script that becomes `cev`, so that the process that was started is the server. */
export function writeCev(folder: string): string {
  const bin =
    process.env["CEV_BIN"] ??
    fileURLToPath(new URL("src/bin.ts", import.meta.resolve("@cev/cli/package.json")));
  return writeProgram(join(folder, "cev"), bin);
}

/** A shell script that becomes Node with this program. */
export function writeProgram(path: string, program: string): string {
  const words = [process.execPath, ...SOURCE_WORDS, program];
  const quoted = words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(" ");
  writeFileSync(path, `#!/bin/sh\nexec ${quoted} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

/** A server that runs. Its end by `SIGTERM` is waited for. */
export interface RunningServer extends AsyncDisposable {
  readonly said: () => string;
  readonly pid: number;
}

/** Starts a server and waits until it takes connections. */
export function startServer(kind: ServerKind, cev: string, service: Service): Promise<RunningServer> {
  return startProgram(commandOf(kind, cev, service), service.address);
}

/** Starts any program that listens there, and waits until it takes connections. */
export async function startProgram(
  words: readonly string[],
  address: Service["address"],
): Promise<RunningServer> {
  const [command, ...args] = words;
  const child = spawn(command!, args, { stdio: ["ignore", "pipe", "pipe"] });
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const ended = new Promise<void>((resolve) => {
    child.on("error", (error) => {
      said += error.message;
      resolve();
    });
    child.on("close", () => resolve());
  });
  const stop = async (): Promise<void> => {
    child.kill("SIGTERM");
    const timer = setTimeout(() => child.kill("SIGKILL"), 10_000);
    await ended;
    clearTimeout(timer);
  };
  for (let tries = 0; tries < 900; tries++) {
    if (await canConnect(address)) return { said: () => said, pid: child.pid!, [Symbol.asyncDispose]: stop };
    const isOver = await Promise.race([
      ended.then(() => true),
      new Promise((resolve) => setTimeout(resolve, 100)),
    ]);
    if (isOver === true) break;
  }
  await stop();
  throw new Error(`${words.join(" ")} did not start: ${said.trim()}`);
}

function commandOf(kind: ServerKind, cev: string, service: Service): string[] {
  const { files, address, certificates, pskFile, isReadOnly = false } = service;
  const where = "socket" in address ? address.socket : address.port;
  const isTls = certificates !== undefined || pskFile !== undefined;
  if (kind === "cev")
    return [
      ...[cev, "serve", ...files],
      ...("socket" in address ? ["--socket", address.socket] : ["--listen", `127.0.0.1:${address.port}`]),
      ...(isReadOnly ? ["--read-only"] : []),
      ...(certificates === undefined ? [] : ["--tls-certificates", certificates, "--tls-verify-peer"]),
      ...(pskFile === undefined ? [] : ["--tls-psk", pskFile]),
    ];
  if (kind === "nbdkit")
    return [
      ...["nbdkit", "-f", "socket" in address ? "-U" : "-p", String(where)],
      ...(isReadOnly ? ["-r"] : []),
      ...(isTls ? ["--tls=require"] : []),
      ...(certificates === undefined ? [] : [`--tls-certificates=${certificates}`, "--tls-verify-peer"]),
      ...(pskFile === undefined ? [] : [`--tls-psk=${pskFile}`]),
      ...["file", files[0]!],
    ];
  if (isTls) throw new Error("qemu-nbd is not tried with TLS here");
  const name = files[0]!.split("/").at(-1)!;
  const place = "socket" in address ? ["-k", address.socket] : ["-p", String(address.port)];
  return [
    "qemu-nbd",
    "-t",
    "-f",
    "raw",
    "-e",
    "32",
    "-x",
    name,
    ...place,
    ...(isReadOnly ? ["-r"] : []),
    files[0]!,
  ];
}

function canConnect(address: Service["address"]): Promise<boolean> {
  if ("socket" in address && !existsSync(address.socket)) return Promise.resolve(false);
  const target = "socket" in address ? { path: address.socket } : { host: "127.0.0.1", port: address.port };
  return new Promise((resolve) => {
    const socket = createConnection(target);
    socket.on("error", () => resolve(false));
    socket.on("connect", () => {
      socket.destroy();
      resolve(true);
    });
  });
}
