import { relative } from "node:path";
import { CevError } from "@cev/core";
import type { Problem } from "@cev/core";
import { isUri } from "@cev/stack";
import { closing } from "../closing.ts";
import { ExitStatus } from "../exit-status.ts";
import { Interrupt } from "../interrupt.ts";
import { complainOf, say } from "../output.ts";
import { placeOf } from "../place.ts";
import { UsageError } from "../usage-error.ts";
import { raidLayerOf } from "./array-detail.ts";
import type { ArrayAnswer, ArrayRequest } from "./array-request.ts";
import { ArraySession } from "./array-session.ts";
import { askServer } from "./control-client.ts";
import { openArray } from "./open-array.ts";
import type { ArrayChoice, CheckMembers, OpenArray } from "./open-array.ts";
import { parseSize } from "./size-option.ts";
import { SyncBars } from "./sync-bars.ts";

/** Options of all commands that work on an array. */
export interface WorkOptions extends ArrayChoice {
  /** The control socket of an array that is served; instead of members. */
  readonly array?: string;
  readonly json?: boolean;
  readonly progress?: boolean;
  readonly force?: boolean;
  readonly speedLimit?: string;
  /** False: the command ends while work goes on in the background. */
  readonly wait?: boolean;
}

/** What all requests have in common. */
export function waitingOf(options: WorkOptions): { isWaiting: boolean; speedLimitKiB: number | null } {
  const { speedLimit } = options;
  return {
    isWaiting: options.wait !== false,
    speedLimitKiB: speedLimit === undefined ? null : Math.ceil(parseSize(speedLimit, "--speed-limit") / 1024),
  };
}

/**
 * Has a request done: by the array's server, where one is named, or else by opening the array from its members, for
 * writing, and closing it again. Prints what came of it.
 */
export async function workOnArray(
  sources: readonly string[],
  options: WorkOptions,
  request: ArrayRequest,
  checkMembers?: CheckMembers,
): Promise<ArrayAnswer> {
  if ((options.array === undefined) === (sources.length === 0))
    throw new UsageError("name either the members of an array, or with --array one that is served");
  using interrupt = new Interrupt();
  using bars = new SyncBars(options.progress === true);
  const problems: Problem[] = [];
  const answer =
    options.array === undefined
      ? await workOnMembers(sources, options, request, {
          bars,
          signal: interrupt.signal,
          problems,
          checkMembers,
        })
      : await askServer(options.array, request, (sync) => bars.update(sync), interrupt.signal);
  bars.finish();
  if (options.json === true) say(JSON.stringify({ ...answer, problems }, null, 2));
  else for (const line of [...answer.lines, summaryOf(answer)]) say(line);
  return answer;
}

interface Surroundings {
  readonly bars: SyncBars;
  readonly signal: AbortSignal;
  /** Takes all that was told. */
  readonly problems: Problem[];
  readonly checkMembers: CheckMembers | undefined;
}

async function workOnMembers(
  sources: readonly string[],
  options: WorkOptions,
  request: ArrayRequest,
  { bars, signal, problems, checkMembers }: Surroundings,
): Promise<ArrayAnswer> {
  // What is added may be among the sources already, left out: it is opened by itself.
  const excluded = request.command === "add" ? request.devices.map(placeOf) : [];
  const array = await openForWork(sources, options, checkMembers, excluded);
  const telling = new ProblemTeller(array, problems);
  const close = async (): Promise<void> => {
    // The bar must not be drawn over.
    bars[Symbol.dispose]();
    await array.stack.close();
    telling.tell();
  };
  return await closing({ close }, async () => {
    try {
      telling.tell();
      const session = new ArraySession(array, writableLayerOf(array));
      // Nobody is left to go on with the work when this command has ended.
      const answer = await session.execute(
        { ...request, isWaiting: true },
        (sync) => bars.update(sync),
        signal,
      );
      bars.finish();
      return answer;
    } catch (error) {
      throw signal.aborted
        ? interrupted(signal.reason as Error, [...sources, ...namedLater(sources, request)])
        : error;
    }
  });
}

/** Opens an array for writing, degraded ones too: to make them whole is what the commands are for. */
export function openForWork(
  sources: readonly string[],
  options: WorkOptions,
  checkMembers?: CheckMembers,
  excluded: readonly string[] = [],
): Promise<OpenArray> {
  return openArray({
    ...options,
    sources,
    checkMembers,
    excluded,
    isReadOnly: false,
    canWriteDegraded: true,
    driverOptions: options.force === true ? { force: true } : {},
  });
}

/** The array's layer, or the reason why it cannot be written. */
export function writableLayerOf({ layer, record, stack }: OpenArray): NonNullable<OpenArray["layer"]> {
  if (layer !== null) return layer;
  const isUnclean = (raidLayerOf(record.layer)?.array.unsynced.length ?? 0) > 0;
  if (isUnclean && stack.problems.some(({ code }) => code === "CEV_DEGRADED")) {
    throw new CevError("CEV_DEGRADED", "it lacks members, and was not shut down cleanly", {
      source: record.name,
      hint: "name the other members too; or start it with cev raid assemble --force: what was written last may read wrong",
    });
  }
  throw new CevError("CEV_READ_ONLY", "the array cannot be written as it is", {
    source: record.name,
    hint: "the warnings say why; cev raid detail shows its members",
  });
}

/** Tells of problems as they come up, each once. */
export class ProblemTeller {
  readonly #array: OpenArray;
  readonly #told: Problem[];
  #count = 0;

  /** `told`: takes all that was told. */
  constructor(array: OpenArray, told: Problem[]) {
    this.#array = array;
    this.#told = told;
    this.#told.push(...array.problems.map((one) => ({ ...one, severity: "warning" as const })));
    complainOf(this.#told);
  }

  tell(): void {
    const fresh = this.#array.stack.problems.slice(this.#count);
    this.#count += fresh.length;
    this.#told.push(...fresh);
    complainOf(fresh);
  }
}

/** "md/data: clean, 3 of 3 devices active, 1 spare". */
export function summaryOf({ array }: Pick<ArrayAnswer, "array">): string {
  const active = array.members.filter(({ state }) => state === "active sync").length;
  const spares = array.members.filter(({ state }) => state === "spare").length;
  const others = spares === 0 ? "" : `, ${spares} ${spares === 1 ? "spare" : "spares"}`;
  return `${array.device}: ${array.state}, ${active} of ${array.memberCount} devices active${others}`;
}

/** Devices that became members here, as whoever goes on has to name them. */
function namedLater(sources: readonly string[], request: ArrayRequest): string[] {
  if (request.command !== "add") return [];
  const known = new Set(sources.map(placeOf));
  const later = request.devices.filter((path) => !known.has(placeOf(path)));
  return later.map((path) => (isUri(path) ? path : relative(".", path)));
}

/** What to say to whoever ended a work. */
function interrupted(reason: Error, sources: readonly string[]): CevError {
  return new CevError("CEV_CANCELLED", `${reason.message}; how far a resync or rebuild came is kept`, {
    hint: `go on with cev raid assemble ${sources.join(" ")}`,
    cause: reason,
  });
}

/** What the exit status of a check says, as a script wants it. */
export function checkStatus({ array }: ArrayAnswer): ExitStatus {
  return (array.mismatchCount ?? 0) > 0 ? ExitStatus.failed : ExitStatus.done;
}
