import { readFile } from "node:fs/promises";
import { basename, relative, resolve } from "node:path";
import { argumentsOf } from "./arguments.ts";
import type { Variables } from "./arguments.ts";
import { createLayer } from "./create-layer.ts";
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

/** What the command sees of the world around it. */
interface Surroundings {
  /** Of the Node.js that runs it: "22.2.0". */
  readonly nodeVersion: string;
  /** Its environment variables: npm puts the options there that it took for its own. */
  readonly variables: Variables;
}

/** The command: prints what it did or why not, and returns the exit status. */
export async function run(words: readonly string[], around: Surroundings): Promise<number> {
  try {
    const { values, positionals } = argumentsOf(words, around.variables);
    if (values.help === true) {
      process.stdout.write(HELP);
      return 0;
    }
    const [folder, ...rest] = positionals;
    if (folder === undefined || rest.length > 0)
      throw new Refusal("name one folder: npm create cev-layer my-layer");
    const style = (values.style ?? "actions") as Style;
    const name = values.name ?? basename(resolve(folder));
    const files = await createLayer({ folder, name, style, versions: versionsOf(await ownManifest()) });
    const lines = [`${name}: ${files.length} files, a layer in the style of ${style}`, ...nextLines(folder)];
    process.stdout.write(`${[...lines, ...versionLines(around.nodeVersion)].join("\n")}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    process.stderr.write(`create-cev-layer: ${error.message}\n`);
    return 1;
  }
}

async function ownManifest(): Promise<PackageManifest> {
  return JSON.parse(await readFile(new URL("../package.json", import.meta.url), "utf8")) as PackageManifest;
}

function nextLines(folder: string): string[] {
  const place = relative(process.cwd(), resolve(folder));
  return ["next:", ...(place === "" ? [] : [`  cd ${place}`]), "  npm install", "  npm test"];
}

function versionLines(nodeVersion: string): string[] {
  const [major = 0, minor = 0] = nodeVersion.split(".").map(Number);
  if (major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1])) return [];
  return [`cev and the tests need Node.js ${NODE_MIN.join(".")} or newer, and this is ${nodeVersion}`];
}
