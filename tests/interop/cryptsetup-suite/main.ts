// Runs cryptsetup's luks2-validation-test against cev: main.ts --help.
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { readCommandLine } from "../../../scripts/command-line.ts";
import { SOURCE_WORDS } from "../../../scripts/run-source.ts";
import { run } from "../src/run.ts";

const SUITE = "luks2-validation-test";
const NEEDED = [SUITE, "generators", "luks2_valid_hdr.img.xz"];

const USAGE = `usage: pnpm run cryptsetup-suite TESTS

Runs ${SUITE} of cryptsetup's own tests against cev. TESTS is the folder of that name in cryptsetup's sources, which is only read.

Example:
  pnpm cryptsetup-suite ~/cryptsetup/tests
`;

const tests = readCommandLine("cryptsetup-suite", USAGE, (args) => {
  const options = { help: { type: "boolean", default: false } } as const;
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  if (values.help) return null;
  const [folder] = positionals;
  if (folder === undefined || positionals.length > 1)
    throw new Error("name one folder, of cryptsetup's tests");
  const missing = NEEDED.filter((name) => !existsSync(join(folder, name)));
  if (missing.length > 0) throw new Error(`TESTS: ${folder} has no ${missing.join(", ")}`);
  return folder;
});

const folder = mkdtempSync(join(tmpdir(), "cryptsetup-suite-"));
try {
  // The suite makes its images in the folder it runs in.
  cpSync(join(tests, "generators"), join(folder, "generators"), { recursive: true });
  for (const name of NEEDED.filter((name) => name !== "generators"))
    copyFileSync(join(tests, name), join(folder, name));
  const path = join(folder, "path");
  mkdirSync(path);
  const program = fileURLToPath(new URL("./cryptsetup.ts", import.meta.url));
  const words = [process.execPath, ...SOURCE_WORDS, program].map(
    (word) => `'${word.replaceAll("'", String.raw`'\''`)}'`,
  );
  writeFileSync(join(path, "cryptsetup"), `#!/bin/sh\nexec ${words.join(" ")} "$@"\n`);
  chmodSync(join(path, "cryptsetup"), 0o755);
  const script = `cd "$1" && CRYPTSETUP_PATH="$2" exec bash ./${SUITE}`;
  const { status, stdout, stderr } = await run("bash", ["-c", script, "suite", folder, path], {
    timeoutMs: 600_000,
  });
  const results = stdout.split("\n").filter((line) => line.startsWith("Test image:"));
  const failed = results.filter((line) => !line.endsWith("OK"));
  for (const line of failed) console.log(line);
  console.log(
    `${results.length - failed.length} of ${results.length} headers were judged as the suite expects`,
  );
  if (status !== 0 || failed.length > 0 || results.length === 0) {
    console.log(stdout.split("\n").slice(-5).join("\n"), stderr.trim());
    process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
