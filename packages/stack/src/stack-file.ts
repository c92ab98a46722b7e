import { readFile } from "node:fs/promises";
import { basename, dirname, extname, resolve } from "node:path";
import { CevError } from "@cev/core";
import { LineCounter, parseDocument } from "yaml";
import { checkDescription } from "./description.ts";
import type { StackDescription } from "./description.ts";
import { fileError } from "./file-error.ts";
import { isUri } from "./probe/image-sources.ts";

/** A stack file that was read: what it says, and from where its relative paths start. */
export interface StackFile {
  readonly description: StackDescription;
  readonly directory: string;
  /** Its name, for messages. */
  readonly source: string;
}

/** A stack file is megabytes smaller; a disk image that was named by mistake is not read whole. */
const LENGTH_MAX = 4 << 20;

/** True for paths that are stack files by their ending: .yaml, .yml, .json. */
export function isStackFilePath(path: string): boolean {
  return !isUri(path) && [".yaml", ".yml", ".json"].includes(extname(path).toLowerCase());
}

/** Reads and checks a stack file, YAML or JSON. Its drivers and devices are not looked at. */
export async function readStackFile(path: string): Promise<StackFile> {
  const source = basename(path);
  const bytes = await readFile(path).catch((error: unknown) => {
    throw fileError(path, error);
  });
  if (bytes.length > LENGTH_MAX) {
    throw new CevError("CEV_INVALID", `it has ${bytes.length} bytes, too many for a stack file`, { source });
  }
  const text = bytes.toString("utf8");
  const value = extname(path).toLowerCase() === ".json" ? parseJson(text, source) : parseYaml(text, source);
  return { description: checkDescription(value, source), directory: dirname(resolve(path)), source };
}

function parseJson(text: string, source: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new CevError("CEV_INVALID", `this is not JSON: ${(error as Error).message}`, {
      source,
      cause: error,
    });
  }
}

function parseYaml(text: string, source: string): unknown {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { lineCounter, prettyErrors: false, merge: true });
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, col } = lineCounter.linePos(error.pos[0]);
    const message =
      error.code === "MULTIPLE_DOCS" ? "a second document begins here; a stack file is one" : error.message;
    throw new CevError("CEV_INVALID", message, {
      source: `${source}, line ${line}, column ${col}`,
      cause: error,
    });
  }
  // A hundred aliases are plenty; a file that multiplies them to fill the memory is refused.
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch (cause) {
    throw new CevError("CEV_INVALID", (cause as Error).message, { source, cause });
  }
}
