/**
 * Vitest's global setup for tests that start `cev` hundreds of times: its sources as one file. Node takes a third of the
 * time to start that, for it need not find and link 700 modules. `CEV_BIN=packages/cli/src/bin.ts` before a test run has
 * the sources started as they are, with their own lines in what goes wrong.
 */
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, renameSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";
import type { Plugin } from "esbuild";

const SOURCE = fileURLToPath(new URL("../packages/cli/src/bin.ts", import.meta.url));
/** Always the same, so that Node finds what it has compiled of it. */
const FOLDER = fileURLToPath(new URL("../node_modules/.cache/cev-bundle", import.meta.url));

/** What stands beside a source file is found where the source lies. */
const sourcePlaces: Plugin = {
  name: "source places",
  setup: (bundler) => {
    bundler.onLoad({ filter: /[/\\]packages[/\\][^/\\]+[/\\]src[/\\].*\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      if (!text.includes("import.meta")) return undefined;
      const place = `{ url: ${JSON.stringify(pathToFileURL(path).href)} }`;
      return { contents: text.replaceAll(/\bimport\.meta\b/g, `(${place})`), loader: "ts" };
    });
  },
};

/** Sets CEV_BIN, which the tests start, unless it is set. */
export async function setup(): Promise<void> {
  if (process.env["CEV_BIN"] !== undefined) return;
  const bundle = `${FOLDER}/cev.mjs`;
  // Another test run of this folder may be starting the one that is there.
  const unfinished = `${FOLDER}/${randomUUID()}.mjs`;
  mkdirSync(FOLDER, { recursive: true });
  await build({
    entryPoints: [SOURCE],
    outfile: unfinished,
    bundle: true,
    platform: "node",
    format: "esm",
    target: "node22",
    conditions: ["@cev/source"],
    keepNames: true,
    // Dependencies that are CommonJS ask for Node's own modules this way.
    banner: {
      js: 'import { createRequire as asCommonJs } from "node:module"; const require = asCommonJs(import.meta.url);',
    },
    plugins: [sourcePlaces],
    logLevel: "warning",
  });
  renameSync(unfinished, bundle);
  process.env["CEV_BIN"] = bundle;
}
