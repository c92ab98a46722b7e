import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "../src/run.ts";
import { Compiler } from "./compile.ts";
import type { ServerKind } from "./options.ts";
import { startServer } from "./servers.ts";
import type { Service } from "./servers.ts";
import type { Sources } from "./sources.ts";
import { Skipped } from "./verdict.ts";
import type { Case } from "./verdict.ts";

const SMALL = 4_194_304;
/** What the recorded traces need; they expect zeroes at the start. */
const LARGE = 52_428_800;
const PORT = 10_897;

interface Mode {
  readonly name: string;
  readonly args: readonly string[];
  readonly size?: number;
  readonly isReadOnly?: boolean;
  readonly isOnTcp?: boolean;
  readonly isTls?: boolean;
  readonly exportCount?: number;
  /** Shows the exports with nbd-client first. */
  readonly lists?: boolean;
}

/** The modes of the project's own script `simple_test`, less those that test nbd-server's configuration. */
function modesOf(tests: string): Mode[] {
  const trace = (name: string): string[] => ["-i", "-t", join(tests, name)];
  const client = ["-C", "client-cert.pem", "-K", "client-key.pem", "-A", "ca-cert.pem"];
  const own = client.map((word) => (word.endsWith(".pem") ? join(tests, "certs", word) : word));
  const foreign = own.map((word) => word.replace("/client-", "/selfsigned-"));
  const tls = { size: LARGE, isTls: true, isOnTcp: true };
  return [
    { name: "cfg1", args: [], isOnTcp: true },
    { name: "cfgmulti", args: [], isOnTcp: true, exportCount: 2 },
    { name: "cfgnew", args: [], isOnTcp: true },
    { name: "cfgsize", args: ["-o"] },
    { name: "write", args: ["-w"] },
    { name: "flush", args: ["-w", "-f"] },
    { name: "list", args: [], isOnTcp: true, lists: true },
    { name: "rowrite", args: ["-w", "-F"], isReadOnly: true },
    { name: "unix", args: [] },
    { name: "handshake", args: ["-h"] },
    { name: "integrity", args: trace("integrity-test.tr"), size: LARGE },
    { name: "integrityhuge", args: trace("integrityhuge-test.tr"), size: LARGE },
    { name: "tls", args: [...trace("integrity-test.tr"), ...own, "-H", "localhost"], ...tls },
    { name: "tlshuge", args: [...trace("integrityhuge-test.tr"), ...own, "-H", "localhost"], ...tls },
    { name: "tlswrongcert", args: ["-F", ...foreign, "-H", "localhost"], ...tls },
  ];
}

/** nbd-tester-client of NetworkBlockDevice/nbd. */
export async function testerCases(
  sources: Sources,
  { folder, cev, server }: { readonly folder: string; readonly cev: string; readonly server: ServerKind },
): Promise<Case[]> {
  const nbd = await sources.nbd();
  const tests = join(nbd, "tests/run");
  const build = join(folder, "nbd-tester");
  mkdirSync(build);
  const compiler = await Compiler.withHeaders(sources, build);
  const files = ["tests/run/nbd-tester-client.c", "cliserv.c", "buffer.c", "crypto-gnutls.c"];
  const program = await compiler.build(
    "nbd-tester-client",
    files.map((file) => join(nbd, file)),
    { include: [nbd], libraries: ["libglib-2.0.so.0", "libgnutls.so.30"] },
  );
  const cases = modesOf(tests).map((mode) => ({
    name: mode.name,
    run: () => runMode({ mode, program, folder: build, cev, server, certificates: join(tests, "certs") }),
  }));
  const inetd = { name: "inetd", run: () => runInetd({ program, folder: build, cev, server }) };
  return [...cases, inetd];
}

interface Setting {
  readonly program: string;
  readonly folder: string;
  readonly cev: string;
  readonly server: ServerKind;
}

async function runMode(
  setting: Setting & { readonly mode: Mode; readonly certificates: string },
): Promise<void> {
  const { mode, program, folder, cev, server, certificates } = setting;
  const names = Array.from({ length: mode.exportCount ?? 1 }, (_, index) => `export${index + 1}`);
  const files = names.map((name) => emptyFile(join(folder, name), mode.size ?? SMALL));
  const socket = join(folder, `${mode.name}.sock`);
  const address: Service["address"] = mode.isOnTcp === true ? { port: PORT } : { socket };
  await using running = await startServer(server, cev, {
    files,
    address,
    isReadOnly: mode.isReadOnly === true,
    ...(mode.isTls === true ? { certificates } : {}),
  });
  if (mode.lists === true) {
    const { status, stdout, stderr } = await run("nbd-client", ["-l", "127.0.0.1", String(PORT)]);
    // Foreign servers know their export by no name.
    if (status !== 0 || (server === "cev" && !stdout.includes("export1")))
      throw new Error(`nbd-client -l ended with ${status}: ${stdout}${stderr}`);
  }
  for (const name of names) {
    const where = mode.isOnTcp === true ? ["127.0.0.1", String(PORT)] : ["-u", socket];
    await expectGood(program, ["-N", name, ...mode.args, ...where], running.said);
  }
}

/** The client starts the server itself, with the connection as its standard input and output. */
async function runInetd({ program, folder, cev, server }: Setting): Promise<void> {
  const file = emptyFile(join(folder, "export1"), SMALL);
  if (server === "qemu-nbd") throw new Skipped("qemu-nbd does not serve its standard input");
  const command = server === "cev" ? [cev, "serve", "--stdio", file] : ["nbdkit", "-s", "file", file];
  // The client gives its end as standard input alone, which nbd-server writes to as well.
  const onSocket = ["sh", "-c", 'exec "$@" >&0', "sh", ...command];
  await expectGood(program, ["-N", "export1", "-I", "--", ...onSocket]);
}

async function expectGood(
  program: string,
  args: readonly string[],
  saidByServer: () => string = () => "",
): Promise<void> {
  const script = 'NBD_TEST_SILENT=1 exec "$@"';
  const { status, stdout, stderr } = await run("sh", ["-c", script, "tester", program, ...args], {
    timeoutMs: 180_000,
  });
  if (status === 77) throw new Skipped("not in this build of nbd-tester-client");
  if (status === 0) return;
  const said = `${stdout}${stderr}`.trim().slice(-600);
  throw new Error(`ended with ${status}: ${said}; the server said: ${saidByServer().trim().slice(-600)}`);
}

function emptyFile(path: string, size: number): string {
  writeFileSync(path, "");
  truncateSync(path, size);
  return path;
}
