import { CevError, formatError, isCevError } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { isLuks } from "@cev/crypt";
import type { KdfLimits, CryptProgress } from "@cev/crypt";
import { Interrupt } from "../interrupt.ts";
import { KeyReader } from "../keys/key-reader.ts";
import { say } from "../output.ts";
import type { KeyOptions } from "./crypt-options.ts";
import { kdfLimitsOf } from "./kdf-limits.ts";
import { parseType, parseWhole } from "./parse.ts";
import { openTarget } from "./target.ts";
import type { Target, TargetRequest } from "./target.ts";
import { WorkLine } from "../work-line.ts";

/** A timer that is set to more goes off at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

const WORDS: Readonly<Record<CryptProgress["step"], string>> = {
  measure: "measuring what deriving a key costs here",
  derive: "deriving the key",
  wipe: "overwriting what was there",
  write: "writing",
};

/** What every operation is handed. */
export interface Common {
  readonly environment: Environment;
  readonly signal: AbortSignal;
  readonly kdfLimits: KdfLimits;
  /** What the user calls the device. */
  readonly name: string;
  readonly onProgress: (progress: CryptProgress) => void;
}

/** What a command works with. */
export interface Session {
  readonly keys: KeyReader;
  readonly signal: AbortSignal;
  /** Opens a device, wherever the options say that it is to be looked for. */
  open(word: string, request: TargetRequest): Promise<Target>;
  /** Opens a file that is named apart: `--devices` says nothing of it. */
  openFile(path: string, request: TargetRequest): Promise<Target>;
  /** Opens what carries the header: the device, or the file that `--header` names. */
  openHeader(word: string, request: TargetRequest): Promise<Target>;
  /** What the operations on this target are handed. */
  common(target: Target): Common;
  /** Takes away what a terminal shows of the work: something else is to be shown. */
  endWork(): void;
  /** Prints what came of the command: a line for people (none in batch mode, unless it was asked for), or JSON. */
  answer(line: string | null, result: Readonly<Record<string, unknown>>, isAskedFor?: boolean): void;
}

/** Runs a command: keys are wiped, what is open is closed, and a signal ends it. */
export async function inSession<Result>(
  options: KeyOptions,
  work: (session: Session) => Promise<Result>,
): Promise<Result> {
  const kdfLimits = kdfLimitsOf(options);
  const seconds = parseWhole(options.timeout, "--timeout");
  using interrupt = new Interrupt();
  const { signal } = interrupt;
  using line = new WorkLine();
  using keys = new KeyReader({
    signal,
    // As with cryptsetup, 0 is without end.
    timeoutMs: seconds === undefined || seconds === 0 ? undefined : Math.min(seconds * 1000, TIMER_MS_MAX),
    onAsk: () => line.end(),
    onRead: () => line.begin(WORDS.derive),
  });
  const open: Session["open"] = (word, request) =>
    openTarget(word, options, { ...request, signal, onWork: (what) => line.begin(what) });
  const session: Session = {
    keys,
    signal,
    open,
    openFile: (path, request) => openTarget(path, {}, request),
    openHeader: (word, request) =>
      options.header === undefined ? open(word, request) : openTarget(options.header, {}, request),
    common: ({ environment, name }) => ({
      environment,
      signal,
      kdfLimits,
      name,
      onProgress: ({ step, done, total }) => {
        const share = total > 1 && done > 0 ? ` ${Math.floor((100 * done) / total)}%` : "";
        line.begin(`${WORDS[step]}${share}`);
      },
    }),
    endWork: () => line.end(),
    answer(text, result, isAskedFor = false) {
      line.end();
      if (options.json === true) say(JSON.stringify({ ...result, problems: [] }, null, 2));
      else if (text !== null && (isAskedFor || options.batchMode !== true)) say(text);
    },
  };
  try {
    return await work(session);
  } catch (error) {
    line.end();
    if (!signal.aborted || error === signal.reason) throw error;
    throw new CevError("CEV_CANCELLED", formatError(error), { cause: error });
  }
}

/** Opens the header of a LUKS device. `isReadOnly`: nothing of it is changed. */
export async function onHeader<Result>(
  word: string,
  options: KeyOptions,
  isReadOnly: boolean,
  work: (lower: Layer, session: Session, common: Common) => Promise<Result>,
): Promise<Result> {
  const version = parseType(options.type);
  return inSession(options, async (session) => {
    await using target = await session.openHeader(word, { isReadOnly });
    session.endWork();
    const common = session.common(target);
    if (version !== null && !(await isLuks(target.layer, { ...common, version })))
      throw new CevError("CEV_NOT_FOUND", `there is no LUKS${version} header`, {
        source: target.name,
        hint: "leave --type out to take what is there",
      });
    return await work(target.layer, session, common).catch((error: unknown) => {
      throw withSource(error, target.name);
    });
  });
}

/** An error that does not say of which device it speaks says it. */
function withSource(error: unknown, source: string): unknown {
  if (!isCevError(error) || error.place.source !== undefined || error.code === "CEV_CANCELLED") return error;
  return new CevError(error.code, error.message, { ...error.place, source, cause: error });
}
