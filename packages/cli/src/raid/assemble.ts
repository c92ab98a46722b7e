import { CevError } from "@cev/core";
import type { Problem } from "@cev/core";
import { assemble as chooseMembers } from "@cev/raid";
import { closing } from "../closing.ts";
import { Ending } from "../ending.ts";
import { ExitStatus } from "../exit-status.ts";
import { NbdServing, addressOf } from "../nbd-serving.ts";
import { complain, say } from "../output.ts";
import { UsageError } from "../usage-error.ts";
import { ArraySession } from "./array-session.ts";
import { CONTROL_SUFFIX } from "./control-client.ts";
import { ControlServer } from "./control-server.ts";
import { placesText } from "./examination.ts";
import type { MemberFacts } from "./open-array.ts";
import { SyncBars } from "./sync-bars.ts";
import {
  ProblemTeller,
  openForWork,
  summaryOf,
  waitingOf,
  workOnArray,
  writableLayerOf,
} from "./work-on-array.ts";
import type { WorkOptions } from "./work-on-array.ts";

export interface AssembleOptions extends WorkOptions {
  readonly run?: boolean;
  readonly socket?: string;
  readonly listen?: string;
  readonly control?: string;
  readonly verbose?: boolean;
}

/** `cev raid assemble`: brings an array in order; with an address it is served until somebody ends it. */
export async function assemble(sources: readonly string[], options: AssembleOptions): Promise<ExitStatus> {
  const isServed = options.socket !== undefined || options.listen !== undefined;
  if (isServed) return assembleAndServe(sources, options);
  if (options.control !== undefined)
    throw new UsageError("--control goes with --socket or --listen: without them nothing is left running");
  await workOnArray(sources, options, { command: "rebuild", ...waitingOf(options) }, (members) =>
    refuseMissing(members, options),
  );
  return ExitStatus.done;
}

async function assembleAndServe(sources: readonly string[], options: AssembleOptions): Promise<ExitStatus> {
  const address = addressOf(options);
  const { socket } = options;
  const controlPath = options.control ?? (socket === undefined ? null : socket + CONTROL_SUFFIX);
  using ending = new Ending();
  using bars = new SyncBars(options.progress === true);
  const array = await openForWork(sources, options, (members) => refuseMissing(members, options));
  const problems: Problem[] = [];
  const teller = new ProblemTeller(array, problems);
  const stopped = Promise.withResolvers<undefined>();
  const leaving = new AbortController();
  const session = new ArraySession(array, writableLayerOf(array));
  const control = new ControlServer(session, () => stopped.resolve(undefined));
  const close = async (): Promise<void> => {
    bars[Symbol.dispose]();
    try {
      await control.close();
    } finally {
      await ending.outlast(array.stack.close());
      teller.tell();
    }
  };
  return await closing({ close }, async () => {
    teller.tell();
    // Before a client can come: what its path refuses ends all of it.
    if (controlPath !== null) await control.listen(controlPath);
    const { environment } = array.stack;
    const exported = [{ name: array.record.name, device: array.device }];
    await using serving = await NbdServing.start({
      environment,
      exported,
      places: [address],
      isVerbose: options.verbose === true,
    });
    const lines = [
      summaryOf({ array: session.detail() }),
      ...serving.lines,
      ...(controlPath === null ? [] : [`controlled by cev raid … --array ${controlPath}`]),
    ];
    if (options.json === true)
      say(JSON.stringify({ array: session.detail(), uri: serving.uri, control: controlPath, problems }));
    else for (const line of [...lines, "ready; ends with Ctrl-C (SIGINT or SIGTERM)"]) say(line);
    const watching = watch(session, bars, teller, leaving.signal);
    await Promise.race([ending.first, stopped.promise]);
    leaving.abort(new CevError("CEV_CANCELLED", "the array is being stopped"));
    await watching;
    await control.close();
    return (await serving.end(ending)) ? ExitStatus.done : ExitStatus.failed;
  });
}

const WATCH_PERIOD_MS = 1000;

/** Shows what goes on in the background, and tells of what goes wrong, until the signal comes. */
async function watch(
  session: ArraySession,
  bars: SyncBars,
  teller: ProblemTeller,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await session.idle((sync) => bars.update(sync), signal);
      bars.finish();
    } catch (error) {
      if (!signal.aborted) complain(`warning: ${error instanceof Error ? error.message : String(error)}`);
    }
    teller.tell();
    await pause(WATCH_PERIOD_MS, signal);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Members that were there when the array was last used, and are not there now, are missed on purpose only with --run. */
function refuseMissing(members: readonly MemberFacts[], { run, force }: AssembleOptions): void {
  if (run === true || force === true) return;
  const { newest, missing, rebuilding } = chooseMembers(members);
  const places = placesText(newest.superblock);
  const isRebuilt = (place: number): boolean => rebuilding.some(({ index }) => index === place);
  const unexpected = missing.filter((place) => places[place] !== "." && !isRebuilt(place));
  if (unexpected.length === 0) return;
  const isOne = unexpected.length === 1;
  throw new CevError(
    "CEV_DEGRADED",
    `active ${isOne ? "device" : "devices"} ${unexpected.join(", ")} took part when the array was last used, and ${isOne ? "is" : "are"} not here`,
    {
      source: newest.name,
      hint: "name the other members too, or add --run to run the array without them: they would have to be added again",
    },
  );
}
