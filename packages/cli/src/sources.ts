import { environmentFrom } from "@cev/core";
import { isStackFilePath, openImages, openStackFile, readKeyFile, readPassphraseFile } from "@cev/stack";
import type { Stack } from "@cev/stack";
import { standardDrivers } from "./standard-drivers.ts";
import { UsageError } from "./usage-error.ts";

/** Options that every command has. */
export interface KeyOptions {
  readonly passphraseFile?: readonly string[];
  readonly keyFile?: readonly string[];
}

/** What is to be opened, and how. */
export interface SourceRequest extends KeyOptions {
  readonly sources: readonly string[];
  readonly isReadOnly: boolean;
  readonly canWriteDegraded: boolean;
  /** Devices that are needed; null: all. */
  readonly only: readonly string[] | null;
}

/** Opens image files, or one stack file. */
export async function openSources(request: SourceRequest): Promise<Stack> {
  const { sources, isReadOnly, canWriteDegraded, only } = request;
  const stackFile = sources.find(isStackFilePath);
  if (stackFile !== undefined && sources.length > 1) {
    throw new UsageError(`give either image files or one stack file, and ${stackFile} is a stack file`);
  }
  const options = {
    environment: environmentFrom(globalThis),
    drivers: standardDrivers(),
    keys: await readKeys(request),
    isReadOnly,
    canWriteDegraded,
    ...(only === null ? {} : { only }),
  };
  return stackFile === undefined ? openImages(sources, options) : openStackFile(stackFile, options);
}

/** Opens sources for reading alone and looks into them; the stack stays open for whoever gets what was found. */
export async function lookInto<Found>(
  sources: readonly string[],
  keys: KeyOptions,
  look: (stack: Stack) => Promise<Found>,
): Promise<Found> {
  const stack = await openSources({
    ...keys,
    sources,
    isReadOnly: true,
    canWriteDegraded: false,
    only: null,
  });
  try {
    return await look(stack);
  } catch (error) {
    await stack.close().catch(() => undefined);
    throw error;
  }
}

/** The bytes of all passphrases and keys. */
export async function readKeys({ passphraseFile = [], keyFile = [] }: KeyOptions): Promise<Uint8Array[]> {
  const keys: Uint8Array[] = [];
  for (const path of passphraseFile) keys.push(await readPassphraseFile(path));
  for (const path of keyFile) keys.push(await readKeyFile(path));
  return keys;
}
