import { readFile } from "node:fs/promises";
import { relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { STYLES, createLayer } from "./create-layer.ts";
import type { Style } from "./create-layer.ts";
import { Refusal } from "./refusal.ts";
import { versionsOf } from "./versions.ts";
import type { PackageManifest } from "./versions.ts";

const NODE_MIN = [22, 2] as const;

const HELP = `npm create cev-layer FOLDER -- [--style actions|async] [--name PACKAGE]

Begins a block-storage layer for cev in a new folder: a package with a layer that works, its driver, its
options and its tests.

  --style   actions: on the path of a request, without a promise (default); async: plain async methods
  --name    of the package, if it is not the folder's: my-layer, @me/my-layer
`;

/** The command: prints what it did or why not, and returns the exit status. `nodeVersion`: of the Node.js that runs it. */
export async function run(words: readonly string[], nodeVersion: string): Promise<number> {
  try {
    const { values, positionals } = argumentsOf(words);
    if (values.help === true) {
      process.stdout.write(HELP);
      return 0;
    }
    const [folder, ...rest] = positionals;
    if (folder === undefined || rest.length > 0)
      throw new Refusal("name one folder: npm create cev-layer my-layer");
    const style = (values.style ?? "actions") as Style;
    const files = await createLayer({
      folder,
      style,
      versions: versionsOf(await ownManifest()),
      ...(values.name === undefined ? {} : { name: values.name }),
    });
    process.stdout.write(report(folder, style, files, nodeVersion));
    return 0;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    process.stderr.write(`create-cev-layer: ${error.message}\n`);
    return 1;
  }
}

function argumentsOf(words: readonly string[]): {
  values: { style?: string | undefined; name?: string | undefined; help?: boolean | undefined };
  positionals: string[];
} {
  try {
    return parseArgs({
      args: [...words],
      allowPositionals: true,
      options: { style: { type: "string" }, name: { type: "string" }, help: { type: "boolean", short: "h" } },
    });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw new Refusal(`${message} (--help says what there is; styles are ${STYLES.join(", ")})`);
  }
}

async function ownManifest(): Promise<PackageManifest> {
  return JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")) as PackageManifest;
}

function report(folder: string, style: Style, files: readonly string[], nodeVersion: string): string {
  const place = relative(process.cwd(), resolve(folder));
  const lines = [
    `${folder}: ${files.length} files, a layer in the style of ${style}`,
    "next:",
    ...(place === "" ? [] : [`  cd ${place}`]),
    "  npm install",
    "  npm test",
  ];
  const [major = 0, minor = 0] = nodeVersion.split(".").map(Number);
  if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1]))
    lines.push(`cev and the tests need Node.js ${NODE_MIN.join(".")} or newer, and this is ${nodeVersion}`);
  return `${lines.join("\n")}\n`;
}
