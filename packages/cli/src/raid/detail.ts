import type { Problem } from "@cev/core";
import { closing } from "../closing.ts";
import { ExitStatus } from "../exit-status.ts";
import { Interrupt } from "../interrupt.ts";
import { complainOf, say } from "../output.ts";
import { UsageError } from "../usage-error.ts";
import { detailOf } from "./array-detail.ts";
import type { ArrayDetail } from "./array-detail.ts";
import { askServer } from "./control-client.ts";
import { detailBrief, detailText } from "./detail-text.ts";
import { openArray } from "./open-array.ts";
import type { ArrayChoice } from "./open-array.ts";
import { stackText } from "./stack-text.ts";

export interface DetailOptions extends ArrayChoice {
  /** The control socket of an array that is served; instead of members. */
  readonly array?: string;
  readonly force?: boolean;
  readonly json?: boolean;
  readonly brief?: boolean;
  readonly stack?: boolean;
}

/** `cev raid detail`: how an array is, put together from its members without writing to them, or served elsewhere. */
export async function detail(sources: readonly string[], options: DetailOptions): Promise<ExitStatus> {
  if ((options.array === undefined) === (sources.length === 0))
    throw new UsageError("name either the members of an array, or with --array one that is served");
  if (options.array !== undefined) await detailOfServed(options.array, options);
  else await detailOfMembers(sources, options);
  return ExitStatus.done;
}

async function detailOfServed(path: string, options: DetailOptions): Promise<void> {
  if (options.stack === true)
    throw new UsageError("--stack needs the members: an array that is served has them open");
  using interrupt = new Interrupt();
  const request = { command: "detail", isWaiting: false, speedLimitKiB: null } as const;
  const { array } = await askServer(path, request, () => undefined, interrupt.signal);
  tell(array, [], [], options);
}

async function detailOfMembers(sources: readonly string[], options: DetailOptions): Promise<void> {
  const driverOptions = options.force === true ? { force: true } : {};
  const array = await openArray({
    ...options,
    sources,
    isReadOnly: true,
    canWriteDegraded: false,
    driverOptions,
  });
  await closing(array.stack, async () => {
    const problems = [...array.problems, ...array.stack.problems];
    tell(detailOf(array.record), problems, stackText(array.description), options);
    complainOf(problems.map((one) => ({ ...one, severity: "warning" })));
  });
}

function tell(
  facts: ArrayDetail,
  problems: readonly Problem[],
  stackLines: readonly string[],
  { json, brief, stack }: DetailOptions,
): void {
  if (json === true) say(JSON.stringify({ array: facts, problems }, null, 2));
  else if (brief === true) say(detailBrief(facts));
  else for (const line of stack === true ? stackLines : detailText(facts)) say(line);
}
