/**
 * Compiles every entry file in the `assembly/` folder of one package, or of all packages when it runs at the top,
 * and embeds the bytes in `src/<entry>.generated.ts` (in `src/kernels/` where there is such a folder), so that they load
 * in Node and in bundlers alike.
 * A kernel works on the memory of a buffer-pool slab, hence memory is imported and holds no static data.
 */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";

const top = resolve(import.meta.dirname, "..");
const assemblyScript = createRequire(import.meta.url).resolve("assemblyscript/package.json");
const compiler = join(dirname(assemblyScript), "bin/asc.js");
const options = ["--enable", "simd", "--importMemory", "--noExportMemory", "--runtime", "stub"];
const optimize = ["--optimizeLevel", "3", "--shrinkLevel", "0", "--converge", "--noAssert"];

for (const folder of packageFolders()) compileFolder(folder);

function packageFolders(): string[] {
  if (process.cwd() !== top) return [process.cwd()];
  return readdirSync(join(top, "packages")).map((name) => join(top, "packages", name));
}

/** Entry files lie in `assembly/` itself; what they share lies in folders below it. */
function compileFolder(folder: string): void {
  const assembly = join(folder, "assembly");
  if (!existsSync(assembly)) return;
  const scratch = mkdtempSync(join(tmpdir(), "cev-wasm-"));
  try {
    for (const entry of readdirSync(assembly)) {
      if (!entry.endsWith(".ts") || entry.endsWith(".d.ts")) continue;
      const name = basename(entry, ".ts");
      const binary = join(scratch, `${name}.wasm`);
      const text = [compiler, join("assembly", entry), "--outFile", binary, ...options, ...optimize];
      execFileSync(process.execPath, text, { cwd: folder, stdio: "inherit" });
      const kernels = join(folder, "src/kernels");
      const target = existsSync(kernels) ? kernels : join(folder, "src");
      mkdirSync(target, { recursive: true });
      writeFileSync(join(target, `${name}.generated.ts`), embed(entry, readFileSync(binary)));
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

function embed(entry: string, bytes: Uint8Array): string {
  const base64 = Buffer.from(bytes).toString("base64");
  return [
    `// Compiled from assembly/${entry}; not in git: \`pnpm run wasm\` makes it anew.`,
    `const base64 = "${base64}";`,
    "",
    `/** The WebAssembly module compiled from assembly/${entry}. */`,
    "export const wasmBytes: Uint8Array<ArrayBuffer> = /* @__PURE__ */ Uint8Array.from(",
    "  /* @__PURE__ */ atob(base64),",
    "  (character) => character.charCodeAt(0),",
    ");",
    "",
  ].join("\n");
}
