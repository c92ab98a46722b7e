import { environmentFrom } from "@cev/core";
import type { KeyQuestion, Problem } from "@cev/core";
import { isStackFilePath, openImages, openStackFile } from "@cev/stack";
import type { Stack } from "@cev/stack";
import { KeyReader } from "./keys/key-reader.ts";
import { Terminal } from "./keys/terminal.ts";
import { LOCK_WORDS, lockSettings, whole } from "./open-options.ts";
import type { LockOptions } from "./open-options.ts";
import { standardDrivers } from "./standard-drivers.ts";
import { UsageError } from "./usage-error.ts";
import { WorkLine } from "./work-line.ts";

/** Options that every command has. */
export interface KeyOptions {
  readonly passphraseFile?: readonly string[];
  readonly keyFile?: readonly string[];
  readonly keyfileSize?: string;
  readonly keyfileOffset?: string;
}

/** What is to be opened, and how. */
export interface SourceRequest extends KeyOptions, LockOptions {
  readonly sources: readonly string[];
  readonly isReadOnly: boolean;
  readonly canWriteDegraded: boolean;
  /** What cannot be opened is told, and the rest is opened. */
  readonly isPartial?: boolean;
  /** What is said where one of several sources is not there. */
  readonly awayHint?: string;
  /** Is told of what drivers report, also while the stack is in use. */
  readonly onProblem?: (problem: Problem) => void;
  /** Devices that are needed; null: all. */
  readonly only: readonly string[] | null;
  /** Devices for whose sake a passphrase is asked for where there is a terminal; null: any. By default nobody is asked. */
  readonly askFor?: readonly string[] | null;
  /** Layers can be put in and taken out while it is in use. Default false. */
  readonly isLive?: boolean;
  /** Ends what takes long. */
  readonly signal?: AbortSignal;
}

/** Opens image files, or one stack file. */
export async function openSources(request: SourceRequest): Promise<Stack> {
  const { sources, isReadOnly, canWriteDegraded, only } = request;
  const stackFile = sources.find(isStackFilePath);
  if (stackFile !== undefined && sources.length > 1) {
    throw new UsageError(`give either image files or one stack file, and ${stackFile} is a stack file`);
  }
  if (stackFile !== undefined) refuseLockOptions(request);
  const locks = stackFile === undefined ? lockSettings(request, sources) : {};
  using line = new WorkLine();
  using reader = new KeyReader(request.signal === undefined ? {} : { signal: request.signal });
  const secrets = await readSecrets(request, reader);
  const options = {
    environment: environmentFrom(globalThis),
    drivers: standardDrivers(),
    ...secrets,
    isReadOnly,
    canWriteDegraded,
    isPartial: request.isPartial ?? false,
    ...(request.onProblem === undefined ? {} : { onProblem: request.onProblem }),
    isLive: request.isLive ?? false,
    ...askOf(request, secrets, line),
    onWork: (what: string) => line.begin(what),
    ...(request.signal === undefined ? {} : { signal: request.signal }),
  };
  const named = only === null ? {} : { only };
  try {
    if (stackFile !== undefined) return await openStackFile(stackFile, { ...options, ...named });
    const wanted = only ?? request.askFor ?? null;
    return await openImages(imagesOf(sources, request.header), {
      ...options,
      ...(wanted === null ? {} : { only: wanted }),
      ...locks,
      ...(request.awayHint === undefined ? {} : { awayHint: request.awayHint }),
      ...(request.header === undefined ? {} : { readOnlyImages: [request.header] }),
    });
  } catch (error) {
    throw request.signal?.aborted === true ? request.signal.reason : error;
  }
}

const imagesOf = (sources: readonly string[], header: string | undefined): readonly string[] =>
  header === undefined || sources.includes(header) ? sources : [...sources, header];

/** Whoever wrote the stack file says there what is to be known of each device. */
function refuseLockOptions(request: SourceRequest): void {
  const given = LOCK_WORDS.filter((name) => request[name] !== undefined);
  if (given.length === 0) return;
  const words = given.map((name) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`);
  const are = words.length === 1 ? "is" : "are";
  throw new UsageError(
    `${words.join(", ")} ${are} for image files: a stack file says of each device itself what is to be known`,
  );
}

/** Somebody is asked only where no key was given at all: a wrong one is told. */
function askOf(
  { askFor, signal }: SourceRequest,
  { keys, keyFiles }: Secrets,
  line: WorkLine,
): { readonly ask?: (question: KeyQuestion) => Promise<Uint8Array | null> } {
  if (askFor === undefined || keys.length + keyFiles.length > 0) return {};
  return {
    async ask({ name, attempt }) {
      using terminal = Terminal.anywhere();
      if (terminal === null) return null;
      line.end();
      const again = attempt > 0 ? "No key available with this passphrase.\n" : "";
      return await terminal.ask({ prompt: `${again}Enter passphrase for ${name}: `, isHidden: true, signal });
    },
  };
}

/** Opens sources for reading alone and looks into them; the stack stays open for whoever gets what was found. */
export async function lookInto<Found>(
  sources: readonly string[],
  keys: KeyOptions,
  look: (stack: Stack) => Promise<Found>,
): Promise<Found> {
  // Who calls hands over options of its own: --size of lvcreate says nothing of a lock.
  const { passphraseFile = [], keyFile = [] } = keys;
  const stack = await openSources({
    passphraseFile,
    keyFile,
    sources,
    isReadOnly: true,
    canWriteDegraded: false,
    only: null,
    awayHint: "leave it out to go on without it",
  });
  try {
    return await look(stack);
  } catch (error) {
    await stack.close().catch(() => undefined);
    throw error;
  }
}

/** The bytes of all passphrases and keys. */
export async function readKeys(options: KeyOptions): Promise<Uint8Array[]> {
  using reader = new KeyReader();
  const { keys, keyFiles } = await readSecrets(options, reader);
  // What the reader gave is wiped with it.
  return [...keys, ...keyFiles].map((key) => Uint8Array.from(key));
}

/** Passphrases, and key files, which plain dm-crypt does not hash. */
interface Secrets {
  readonly keys: readonly Uint8Array[];
  readonly keyFiles: readonly Uint8Array[];
}

async function readSecrets(
  { passphraseFile = [], keyFile = [], keyfileSize, keyfileOffset, type }: KeyOptions & LockOptions,
  reader: KeyReader,
): Promise<Secrets> {
  const keys: Uint8Array[] = [];
  const keyFiles: Uint8Array[] = [];
  const size = whole(keyfileSize, "--keyfile-size");
  // As with cryptsetup, a size of 0 is all.
  const range = { offset: whole(keyfileOffset, "--keyfile-offset"), size: size === 0 ? undefined : size };
  if (keyFile.length === 0 && (keyfileSize ?? keyfileOffset) !== undefined)
    throw new UsageError(
      "--keyfile-size and --keyfile-offset take a part of a key file: name one with --key-file",
    );
  for (const path of passphraseFile)
    keys.push(await reader.read({ prompt: "Enter passphrase: ", passphraseFile: path }));
  for (const path of keyFile) {
    const key = await reader.read({ prompt: "Enter passphrase: ", keyFile: path, range });
    // As cryptsetup has it: in plain mode what comes from standard input is hashed.
    (path === "-" && type === "plain" ? keys : keyFiles).push(key);
  }
  return { keys, keyFiles };
}
