import { existsSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CEV_COMMAND } from "../src/cev.ts";
import { output } from "../src/run.ts";

/** Where the keys of this run are, and foreign programs that are not installed. */
export interface Setting {
  /** For sockets, images and settings; a short path. */
  readonly folder: string;
  /** With certificates, and with `keys.psk`, which has a key for "alice". */
  readonly credentials: string;
  /** Another qemu-nbd, by its path. */
  readonly newQemuNbd: string | null;
  /** nbd-server, by its path. */
  readonly nbdServer: string | null;
  /** Another one, which knows structured replies. */
  readonly newNbdServer: string | null;
}

/** A server in one setting. */
export interface Contestant {
  /** "nbdkit memory, TLS with keys". */
  readonly name: string;
  /** Whose findings are known by this word. */
  readonly kind: "cev" | "nbdkit" | "qemu-nbd" | "nbd-server";
  /** Null: cannot run here, for this reason. */
  readonly missing: string | null;
  readonly command: (socket: string) => Promise<readonly string[]>;
  readonly uri: (socket: string) => string;
  readonly readOnlyExport?: string;
  /** Bytes of the export. */
  readonly size?: number;
}

const SIZE = 67_108_864;

function image(setting: Setting, name: string, size: number = SIZE): string {
  const path = join(setting.folder, name);
  if (!existsSync(path)) {
    writeFileSync(path, "");
    truncateSync(path, size);
  }
  return path;
}

const plain =
  (exportName: string) =>
  (socket: string): string =>
    `nbd+unix:///${exportName}?socket=${socket}`;

/** Every server, in every setting. */
export function contestants(setting: Setting): Contestant[] {
  const { credentials, newQemuNbd, nbdServer, newNbdServer } = setting;
  const withKeys = (socket: string): string =>
    `nbds+unix://alice@/?socket=${socket}&tls-psk-file=${join(credentials, "keys.psk")}`;
  const withCertificates = (socket: string): string =>
    `nbds+unix:///?socket=${socket}&tls-certificates=${credentials}&tls-hostname=localhost`;
  const cev = (name: string, uri: Contestant["uri"], ...more: readonly string[]): Contestant => ({
    name,
    kind: "cev",
    missing: null,
    command: async (socket) => [
      ...[process.execPath, ...CEV_COMMAND, "serve", image(setting, "cev.img"), "--device", "cev.img"],
      ...["--socket", socket, ...more],
    ],
    uri,
  });
  const nbdkit = (name: string, uri: Contestant["uri"], ...more: readonly string[]): Contestant => ({
    name,
    kind: "nbdkit",
    missing: null,
    command: async (socket) => ["nbdkit", "--foreground", "--unix", socket, ...more],
    uri,
  });
  const qemu = (
    name: string,
    program: string | null,
    prepare: () => Promise<readonly string[]>,
    uri = plain("disk"),
  ): Contestant => ({
    name,
    kind: "qemu-nbd",
    missing: program === null ? "no newer qemu-nbd was given (--qemu-nbd)" : null,
    command: async (socket) => [
      ...[program ?? "qemu-nbd", "--persistent", "--shared", "32", "--socket", socket],
      ...["--export-name", "disk", ...(await prepare())],
    ],
    uri,
  });
  const server = (name: string, program: string | null, option: string): Contestant => ({
    name,
    kind: "nbd-server",
    missing: program === null ? `none was given (${option})` : null,
    command: async (socket) => {
      const settings = join(setting.folder, "nbd-server.conf");
      writeFileSync(settings, nbdServerSettings(setting, socket));
      // -d keeps it in the foreground, where it would serve one client alone: it forks under a shell that waits.
      const pidFile = join(setting.folder, "nbd-server.pid");
      const script = `trap 'kill $(cat "$2")' TERM; "$0" -C "$1" -p "$2" && while sleep .2; do :; done`;
      return ["sh", "-c", script, program ?? "nbd-server", settings, pidFile];
    },
    uri: plain("disk"),
    readOnlyExport: "frozen",
  });
  return [
    cev("cev", plain("")),
    cev("cev, read-only", plain(""), "--read-only"),
    cev(
      "cev, TLS with certificates",
      withCertificates,
      "--tls-certificates",
      credentials,
      "--tls-verify-peer",
    ),
    cev("cev, TLS with keys", withKeys, "--tls-psk", join(credentials, "keys.psk")),
    nbdkit("nbdkit memory", plain(""), "memory", String(SIZE)),
    nbdkit(
      "nbdkit memory, blocks of 4 KiB",
      plain(""),
      ...["--filter=blocksize-policy", "memory", String(SIZE), "blocksize-minimum=4096"],
      ...["blocksize-preferred=65536", "blocksize-maximum=1M", "blocksize-error-policy=error"],
    ),
    nbdkit(
      "nbdkit memory, TLS with keys",
      withKeys,
      "--tls=require",
      `--tls-psk=${join(credentials, "keys.psk")}`,
      "memory",
      "8M",
    ),
    nbdkit(
      "nbdkit memory, TLS with certificates",
      withCertificates,
      ...["--tls=require", "--tls-verify-peer", `--tls-certificates=${credentials}`, "memory", "8M"],
    ),
    qemu("qemu-nbd, raw", "qemu-nbd", async () => ["--format", "raw", image(setting, "qemu.img")]),
    qemu("qemu-nbd, qcow2", "qemu-nbd", async () => {
      const path = join(setting.folder, "qemu.qcow2");
      if (!existsSync(path)) await output("qemu-img", ["create", "-f", "qcow2", path, String(SIZE)]);
      return ["--format", "qcow2", path];
    }),
    qemu("qemu-nbd, read-only", "qemu-nbd", async () => [
      "--format",
      "raw",
      "--read-only",
      image(setting, "qemu.img"),
    ]),
    qemu("newer qemu-nbd, raw", newQemuNbd, async () => ["--format", "raw", image(setting, "newer.img")]),
    server("nbd-server", nbdServer, "--nbd-server"),
    server("newer nbd-server", newNbdServer, "--new-nbd-server"),
  ];
}

function nbdServerSettings(setting: Setting, socket: string): string {
  return [
    "[generic]",
    "allowlist = true",
    `unixsock = ${socket}`,
    "listenaddr = 127.0.0.1",
    "port = 10999",
    "[disk]",
    `exportname = ${image(setting, "server.img")}`,
    "flush = true",
    "fua = true",
    "trim = true",
    "[frozen]",
    `exportname = ${image(setting, "frozen.img")}`,
    "readonly = true",
    "",
  ].join("\n");
}
