import { unlink } from "node:fs/promises";
import { existsSync } from "node:fs";
import { CevError, closeTree, environmentFrom, openTree } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { isStackFilePath, isUri, openImages, openStack, openStackFile, pickEntries } from "@cev/stack";
import type { DeviceEntry, Stack, StackDescription } from "@cev/stack";
import { dirname, resolve } from "node:path";
import { sourcesOf } from "../lvm/arguments.ts";
import { recordNamed } from "../lvm/device-names.ts";
import { SIGNATURE_REACH, knownContent } from "../raid/known-contents.ts";
import { splitPath } from "../raid/member-path.ts";
import { lockSettings } from "../open-options.ts";
import { readKeys } from "../sources.ts";
import { standardDrivers } from "../standard-drivers.ts";
import { SECRET_ADVICE } from "./crypt-options.ts";
import type { DeviceOptions } from "./crypt-options.ts";
import type { KdfOptions } from "./kdf-limits.ts";
import { withoutUndefined } from "./without-undefined.ts";

const BLOCK = 4096;

/** Options that say where a device is, and how what it lies in is opened. */
type TargetOptions = DeviceOptions & KdfOptions;

/** A device that a command works on, open. */
export interface Target extends AsyncDisposable {
  /** As it was named. */
  readonly name: string;
  readonly layer: Layer;
  readonly environment: Environment;
  /** What it carried before, in a few words. Null: nothing known, or nobody asked. */
  readonly content: TargetContent | null;
  /** The file was not there before. */
  readonly isMade: boolean;
}

/** What is known of a device before it is overwritten. */
export interface TargetContent {
  readonly summary: string;
  /** The driver that recognised it; null: none did, it is known by its first bytes. */
  readonly driver: string | null;
}

/** How a target is opened. */
export interface TargetRequest {
  readonly isReadOnly: boolean;
  /** What it carries is to be found out. */
  readonly isNew?: boolean;
  /** Ends what takes long, and is told of it: locks below the device that are opened. */
  readonly signal?: AbortSignal;
  readonly onWork?: (what: string) => void;
  /** A file that is not there is made, so large. */
  readonly imageSize?: number | undefined;
}

/** Opens an image, a partition in one, or with `--devices` any device that is found in them. */
export async function openTarget(
  word: string,
  options: TargetOptions,
  request: TargetRequest,
): Promise<Target> {
  const isWhole = splitPath(word).inner === "" && !isStackFilePath(word);
  const isFile = options.devices === undefined && isWhole && !isUri(word);
  if (isFile && !existsSync(word)) return openAbsent(word, request);
  const content = request.isNew === true ? await contentOf(word, options, request) : null;
  const environment = environmentFrom(globalThis);
  const found = isFile ? fileEntry(word) : await findTarget(word, options, request);
  return open(word, found, environment, content, options, request);
}

/** A file that is not there: made where that is asked for. */
async function openAbsent(word: string, request: TargetRequest): Promise<Target> {
  const { imageSize } = request;
  if (imageSize === undefined)
    throw new CevError("CEV_NOT_FOUND", "there is no such file", {
      source: word,
      ...(request.isNew === true
        ? { hint: "check the path, or add --make-images SIZE to have it made" }
        : {}),
    });
  const environment = environmentFrom(globalThis);
  const found = fileEntry(word, imageSize);
  try {
    const target = await open(word, found, environment, null, {}, request);
    return { ...target, isMade: true };
  } catch (error) {
    await unlink(word).catch(() => undefined);
    throw error;
  }
}

interface FoundTarget {
  readonly name: string;
  readonly description: StackDescription;
  readonly directory: string;
}

function fileEntry(path: string, size?: number): FoundTarget {
  const making = size === undefined ? {} : { create: true, size };
  const entry: DeviceEntry = { driver: "@cev/hw-file", path, ...making };
  return { name: path, description: { devices: { [path]: entry } }, directory: "." };
}

/** Looks at everything read-only, and tells what the device stands on. */
async function findTarget(
  word: string,
  options: TargetOptions,
  request: TargetRequest,
): Promise<FoundTarget> {
  const sources = sourcesOf(options.devices, [word]);
  await using stack = await look(sources, options, request);
  const { name } = recordNamed(stack, word);
  const [source = "."] = sources;
  return {
    name,
    description: pickEntries(stack.describe(), [name]),
    directory: isStackFilePath(source) ? dirname(resolve(source)) : ".",
  };
}

/** Read-only, with the keys of locks below the device. */
async function look(
  sources: readonly string[],
  options: TargetOptions,
  request: TargetRequest,
): Promise<Stack> {
  const stackOptions = {
    environment: environmentFrom(globalThis),
    drivers: standardDrivers(),
    keys: await keysBelow(options),
    isReadOnly: true,
    ...workOf(request),
  };
  const stackFile = sources.find(isStackFilePath);
  if (stackFile !== undefined) return openStackFile(stackFile, stackOptions);
  return openImages(sources, { ...stackOptions, ...lockSettings(kdfOptionsOf(options), sources) });
}

const workOf = ({ signal, onWork }: TargetRequest): Pick<TargetRequest, "signal" | "onWork"> => ({
  ...(signal === undefined ? {} : { signal }),
  ...(onWork === undefined ? {} : { onWork }),
});

/** Of the command's options those that say something of the locks below, too. */
const kdfOptionsOf = ({ kdfMemoryMax, kdfWorkMax, kdfIterationsMax }: TargetOptions): KdfOptions =>
  withoutUndefined({ kdfMemoryMax, kdfWorkMax, kdfIterationsMax });

/** Only among several devices is there anything below that could be locked. */
async function keysBelow({ devices, passphraseFile }: DeviceOptions): Promise<Uint8Array[]> {
  const isBelow = devices !== undefined && passphraseFile !== undefined;
  return isBelow ? readKeys({ passphraseFile: [passphraseFile] }) : [];
}

async function contentOf(
  word: string,
  options: TargetOptions,
  request: TargetRequest,
): Promise<TargetContent | null> {
  await using stack = await look(sourcesOf(options.devices, [word]), options, request);
  const { name, content } = recordNamed(stack, word);
  if (content !== undefined && content !== null) return { summary: content.summary, driver: content.driver };
  const problem = stack.problems.find(
    ({ device, severity, code }) => device === name && severity === "error" && code !== "CEV_NOT_FOUND",
  );
  if (problem !== undefined) return { summary: problem.message, driver: null };
  const device = await stack.open(name, { isReadOnly: true });
  const length = Math.min(device.size, Math.ceil(SIGNATURE_REACH / BLOCK) * BLOCK);
  const summary = knownContent(await device.read(0, length));
  return summary === null ? null : { summary, driver: null };
}

async function open(
  word: string,
  { name, description, directory }: FoundTarget,
  environment: Environment,
  content: TargetContent | null,
  options: TargetOptions,
  request: TargetRequest,
): Promise<Target> {
  const stack = await openStack(description, {
    environment,
    drivers: standardDrivers(),
    keys: await keysBelow(options),
    isReadOnly: request.isReadOnly,
    ...workOf(request),
    canWriteDegraded: options.degraded === true,
    only: [name],
    directory,
    source: "the devices",
    isFound: true,
  });
  try {
    const { layer } = stack.find(name);
    if (layer === null)
      throw new CevError("CEV_KEY_REQUIRED", "it is locked", {
        source: word,
        hint: "--passphrase-file opens what it lies in",
      });
    await openTree(layer);
    return {
      name: word,
      layer,
      environment,
      content,
      isMade: false,
      async [Symbol.asyncDispose]() {
        await closeTree(layer).finally(() => stack.close());
      },
    };
  } catch (error) {
    await stack.close().catch(() => undefined);
    throw error;
  }
}

/** A word where a key file was expected: it may be a passphrase, and is not repeated. */
export function refuseAsSecret(path: string | undefined): void {
  if (path === undefined || path === "-" || existsSync(path)) return;
  throw new CevError("CEV_NOT_FOUND", "there is no such key file", {
    hint: `is it a passphrase? Then others may have seen it: ${SECRET_ADVICE}`,
  });
}
