import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../src/run.ts";
import type { ServerKind } from "./options.ts";
import { writeProgram } from "./servers.ts";
import type { Sources } from "./sources.ts";
import { Skipped } from "./verdict.ts";
import type { Case } from "./verdict.ts";

const PACKAGES = [
  ...["qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios", "qemu-utils"],
  ...["libcapstone4", "libfdt1", "libslirp0", "libvdeplug2"],
];
/** What Debian's QEMU was built without; the machines these tests start do nothing anyhow. */
const ACCELERATOR = [/-accel qtest/g, "-accel tcg -S"] as const;
/** The servers here take longer to start than the second that the tests give them. */
const STARTING = [
  /sleep 1 # .*qemu-nbd needs to be listening.*/,
  'for _ in $(seq 200); do [ -S "$SOCK_DIR/nbd" ] && break; sleep 0.1; done',
] as const;

/** QEMU's iotests for raw images over NBD: `./check -raw -nbd`, each with `qemu-nbd` or with cev in its place. */
export async function iotestCases(
  sources: Sources,
  { folder, server }: { readonly folder: string; readonly server: ServerKind },
): Promise<Case[]> {
  const source = await sources.debianSource("qemu");
  const root = await sources.debianFiles(PACKAGES);
  const place = join(folder, "qemu");
  mkdirSync(place);
  for (const part of ["tests/qemu-iotests", "python"])
    cpSync(join(source, part), join(place, part), { recursive: true });
  const tests = join(place, "tests/qemu-iotests");
  edit(join(tests, "testenv.py"), ACCELERATOR);
  edit(join(place, "python/qemu/machine/qtest.py"), [/'-accel', 'qtest'/g, "'-accel', 'tcg', '-S'"]);
  edit(join(tests, "common.rc"), STARTING);
  const bin = join(root, "usr/bin");
  const wrapper = writeProgram(
    join(folder, "qemu-nbd"),
    fileURLToPath(new URL("./qemu-nbd.ts", import.meta.url)),
  );
  // The one must not be the beginning of the other: the tests' filters would mix them up.
  for (const name of ["images", "s"]) mkdirSync(join(folder, name), { recursive: true });
  const log = join(folder, "qemu-nbd.log");
  const environment: { readonly [name: string]: string } = {
    LD_LIBRARY_PATH: join(root, "usr/lib/x86_64-linux-gnu"),
    QEMU_PROG: join(bin, "qemu-system-x86_64"),
    QEMU_IMG_PROG: join(bin, "qemu-img"),
    QEMU_IO_PROG: join(bin, "qemu-io"),
    QEMU_NBD_PROG: server === "cev" ? wrapper : join(bin, "qemu-nbd"),
    QSD_PROG: join(bin, "qemu-storage-daemon"),
    REAL_QEMU_NBD: join(bin, "qemu-nbd"),
    CEV_QEMU_NBD_LOG: log,
    TEST_DIR: join(folder, "images"),
    SOCK_DIR: join(folder, "s"),
  };
  const { stdout } = await check(tests, environment, ["-raw", "-nbd", "-n"]);
  const names = stdout
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => /^(\d{3}|tests\/[\w-]+)$/.test(line))
    .filter((name) => isForRawOverNbd(readFileSync(join(tests, name), "utf8")));
  return names.map((name) => ({
    name,
    run: async () => {
      if (server === "nbdkit") throw new Skipped("these tests start qemu-nbd");
      rmSync(log, { force: true });
      const result = await check(tests, environment, ["-raw", "-nbd", name.replace("tests/", "")]);
      const reason = /not run:?\s+(.*)/.exec(result.stdout) ?? /\[not run\]\s*(.*)/.exec(result.stdout);
      const answered = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
      const byReal = answered.filter((line) => line.startsWith("real"));
      if (result.status === 0 && / pass|Passed all/.test(result.stdout) && reason === null) {
        if (server === "cev" && byReal.length === answered.length)
          throw new Skipped(
            answered.length === 0 ? "passes without a server" : "passes with the real qemu-nbd: no raw image",
          );
        return;
      }
      if (reason !== null) throw new Skipped(reason[1]);
      throw new Error(`${result.stdout}${result.stderr}`.trim().slice(-1500));
    },
  }));
}

/** What a test says of itself; the suite would skip it for the same reason, half a second later. */
function isForRawOverNbd(text: string): boolean {
  const formats = /^_supported_fmt (.*)/m.exec(text) ?? /supported_fmts=\[(.*?)\]/s.exec(text);
  const protocols = /^_supported_proto (.*)/m.exec(text) ?? /supported_protocols=\[(.*?)\]/s.exec(text);
  return (
    (formats === null || /\b(raw|generic)\b/.test(formats[1]!)) &&
    (protocols === null || /\b(nbd|generic)\b/.test(protocols[1]!)) &&
    !/^_unsupported_proto .*\bnbd\b/m.test(text)
  );
}

function check(
  tests: string,
  environment: { readonly [name: string]: string },
  args: readonly string[],
): ReturnType<typeof run> {
  const words = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
  const script = 'cd "$1" && shift && exec env "$@"';
  return run("sh", ["-c", script, "check", tests, ...words, "./check", ...args], { timeoutMs: 180_000 });
}

function edit(path: string, [pattern, replacement]: readonly [RegExp, string]): void {
  const text = readFileSync(path, "utf8");
  const edited = text.replace(pattern, () => replacement);
  if (edited === text)
    throw new Error(`${path} is not as it was in QEMU 7.2: ${pattern.source} is not in it`);
  writeFileSync(path, edited);
}
