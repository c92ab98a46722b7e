/**
 * Everything a change has to pass: WebAssembly kernels, types, lint, builds, format, dead code, and all tests (packed
 * packages in an outside project among them). Each check counts as one test. The last line is the count.
 */
import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { keepCompiledModules } from "./compile-cache.ts";
import { countLine } from "./count.ts";
import { runTests } from "./run-tests.ts";

const top = resolve(import.meta.dirname, "..");
const turbo = ["turbo", "run", "--continue", "--output-logs=errors-only", "--concurrency=3"];
const checks: Record<string, readonly string[]> = {
  "WebAssembly kernels": [...turbo, "wasm"],
  "type-check": [...turbo, "//#typecheck:all"],
  lint: [...turbo, "//#lint:sources", "//#lint:rest"],
  build: [...turbo, "build"],
  format: ["oxfmt", "--check", "."],
  "dead code": ["knip"],
};

process.chdir(top);
process.env["TURBO_TELEMETRY_DISABLED"] = "1";
keepCompiledModules();

const broken = Object.entries(checks).filter(([name, command]) => !isPassed(name, command));
const count = await runTests(top);
count.passed += Object.keys(checks).length - broken.length;
count.failed += broken.length;
for (const [name, command] of broken) console.log(`failed: ${name} (${command.join(" ")})`);
console.log(countLine(count));
process.exit(count.failed === 0 ? 0 : 1);

function isPassed(name: string, [command = "", ...rest]: readonly string[]): boolean {
  const start = performance.now();
  const { status } = spawnSync(command, rest, { stdio: "inherit", shell: process.platform === "win32" });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${status === 0 ? "passed" : "FAILED"}: ${name} (${seconds} s)`);
  return status === 0;
}
