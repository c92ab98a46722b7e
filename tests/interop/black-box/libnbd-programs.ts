import { closeSync, mkdirSync, openSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { run } from "../src/run.ts";
import { Compiler } from "./compile.ts";
import { makeCertificates, makeKeys } from "./credentials.ts";
import type { ServerKind } from "./options.ts";
import { startServer } from "./servers.ts";
import type { Service } from "./servers.ts";
import type { Sources } from "./sources.ts";
import { Skipped } from "./verdict.ts";
import type { Case } from "./verdict.ts";

const EXPORT_SIZE = 67_108_864;
const LIBRARIES = ["libnbd.so.0", "libgnutls.so.30"];
/** Where the programs look for them, from the folder they run in. */
const CERTIFICATES = "../tests/pki";
const KEYS = "../tests/keys.psk";

interface Program {
  readonly name: string;
  readonly file: string;
  /** Words of the server's command, as C expressions. */
  readonly server: readonly string[];
  readonly defines?: readonly string[];
}

const quoted = (words: readonly string[]): string[] => words.map((word) => JSON.stringify(word));
const X509 = quoted(["--tls-certificates", CERTIFICATES]);
const PSK = quoted(["--tls-psk", KEYS]);
const STDIO = quoted(["serve", "--stdio"]);
/** Without an address: the socket is handed over. */
const ACTIVATED = quoted(["serve"]);
const INTEROP = { file: "interop/interop.c" };

const mode = (name: string): string => `TLS_MODE=LIBNBD_TLS_${name}`;

/** As nbdkit is tried in interop/Makefile.am. */
const PROGRAMS: readonly Program[] = [
  { ...INTEROP, name: "interop", server: [...STDIO, "TMPFILE"] },
  {
    ...INTEROP,
    name: "interop-activation",
    server: [...ACTIVATED, "TMPFILE"],
    defines: ["SOCKET_ACTIVATION=1"],
  },
  ...["REQUIRE", "ALLOW"].flatMap((each) => [
    {
      ...INTEROP,
      name: `interop-tls-certs-${each.toLowerCase()}`,
      server: [...STDIO, ...X509, "TMPFILE"],
      defines: ["CERTS=1", mode(each)],
    },
    {
      ...INTEROP,
      name: `interop-tls-psk-${each.toLowerCase()}`,
      server: [...STDIO, ...PSK, "TMPFILE"],
      defines: ["PSK=1", mode(each)],
    },
  ]),
  {
    ...INTEROP,
    name: "interop-tls-certs-fallback",
    server: [...STDIO, "TMPFILE"],
    defines: ["CERTS=1", mode("ALLOW"), "TLS_FALLBACK=1"],
  },
  {
    ...INTEROP,
    name: "interop-tls-psk-fallback",
    server: [...STDIO, "TMPFILE"],
    defines: ["PSK=1", mode("ALLOW"), "TLS_FALLBACK=1"],
  },
  {
    ...INTEROP,
    name: "interop-activation-tls-certs",
    server: [...ACTIVATED, ...X509, "TMPFILE"],
    defines: ["CERTS=1", mode("REQUIRE"), "SOCKET_ACTIVATION=1"],
  },
  { name: "socket-activation", file: "interop/socket-activation.c", server: [...ACTIVATED, "tmpfile"] },
  {
    name: "list-exports",
    file: "interop/list-exports.c",
    server: [...STDIO, ...quoted(["disk1", "disk2"])],
    defines: ['EXPORTS="disk1", "disk2"', 'DESCRIPTIONS="", ""'],
  },
];

interface Setting {
  readonly folder: string;
  readonly cev: string;
  readonly server: ServerKind;
}

/** Test programs of libnbd: its `interop` folder, and the loads of its `tests` folder. */
export async function libnbdCases(sources: Sources, { folder, cev, server }: Setting): Promise<Case[]> {
  const source = await sources.debianSource("libnbd");
  const build = join(folder, "libnbd/interop");
  mkdirSync(join(folder, "libnbd/tests"), { recursive: true });
  mkdirSync(build);
  const compiler = await Compiler.withHeaders(sources, build);
  await makeCertificates(join(build, CERTIFICATES));
  // The loads look for it beside them.
  for (const path of [KEYS, "keys.psk"]) makeKeys(join(build, path), "alice");
  for (const name of ["disk1", "disk2"]) emptyFile(join(build, name), 1_048_576);
  const requires = join(source, "tests/requires.c");
  const interop = PROGRAMS.map(({ name, file, server: words, defines = [] }) => ({
    name,
    run: async () => {
      if (server !== "cev") throw new Skipped("libnbd's own makefile tries it with this server");
      const program = await compiler.build(name, [join(source, file), requires], {
        include: [join(source, "common/include")],
        defines: [
          ...["NEEDS_TMPFILE=1", `SERVER=${JSON.stringify(cev)}`, `SERVER_PARAMS=${words.join(", ")}`],
          ...defines,
        ],
        libraries: LIBRARIES,
      });
      await expectGood(build, program, []);
    },
  }));
  const loads = ["aio-parallel", "aio-parallel-tls", "aio-parallel-load", "aio-parallel-load-tls"].map(
    (name) => ({
      name,
      run: async () => {
        const isTls = name.endsWith("-tls");
        const program = await compiler.build(name, [join(source, "tests", `${name.replace("-tls", "")}.c`)], {
          defines: isTls ? ["TLS=1"] : [],
          include: [join(source, "common/include")],
          libraries: LIBRARIES,
        });
        const file = join(build, "pattern");
        writePattern(file);
        const socket = join(build, "load.sock");
        const service: Service = {
          files: [file],
          address: { socket },
          ...(isTls ? { pskFile: join(build, "keys.psk") } : {}),
        };
        await using running = await startServer(server, cev, service);
        await expectGood(build, program, [socket], running.said);
      },
    }),
  );
  const structuredRead = {
    name: "structured-read",
    run: () =>
      Promise.reject(new Skipped("asks for holes of 512 bytes that only qcow2 clusters of that size have")),
  };
  return [...interop, ...loads, structuredRead];
}

async function expectGood(
  folder: string,
  program: string,
  args: readonly string[],
  saidByServer: () => string = () => "",
): Promise<void> {
  const script = 'cd "$1" && shift && exec "$@"';
  const { status, stdout, stderr } = await run("sh", ["-c", script, "libnbd", folder, program, ...args], {
    timeoutMs: 60_000,
  });
  if (status === 77) throw new Skipped(stderr.trim());
  if (status === 0) return;
  const said = `${stdout}${stderr}`.trim().slice(-600);
  throw new Error(`ended with ${status}: ${said}; the server said: ${saidByServer().trim().slice(-600)}`);
}

/** Each eight bytes hold their own offset: what nbdkit's pattern plugin serves. */
function writePattern(path: string): void {
  const bytes = Buffer.alloc(1_048_576);
  const file = openSync(path, "w");
  for (let offset = 0; offset < EXPORT_SIZE; offset += bytes.length) {
    for (let at = 0; at < bytes.length; at += 8) bytes.writeBigUInt64BE(BigInt(offset + at), at);
    writeSync(file, bytes);
  }
  closeSync(file);
}

function emptyFile(path: string, size: number): void {
  writeFileSync(path, "");
  truncateSync(path, size);
}
