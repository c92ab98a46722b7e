import { isUri } from "@cev/stack";
import { ExitStatus } from "../exit-status.ts";
import { complain } from "../output.ts";
import { wholeWord } from "../place.ts";
import { UsageError } from "../usage-error.ts";
import { parseCount, parseSize } from "./size-option.ts";
import { checkStatus, waitingOf, workOnArray } from "./work-on-array.ts";
import type { WorkOptions } from "./work-on-array.ts";

export interface DeviceOptions extends WorkOptions {
  readonly device?: readonly string[];
}

export interface GrowOptions extends WorkOptions {
  readonly size?: string;
  readonly raidDevices?: string;
}

/** `cev raid add`: devices become members again, or new ones; a rebuild onto them follows where one is due. */
export async function add(sources: readonly string[], options: DeviceOptions): Promise<ExitStatus> {
  // Behind a control socket relative paths would start elsewhere.
  const devices = devicesOf(options).map(wholeWord);
  const isForced = options.force === true;
  // Forced is the new device, not the array.
  const ofArray = { ...options, force: false };
  await workOnArray(sources, ofArray, { command: "add", devices, isForced, ...waitingOf(options) });
  return ExitStatus.done;
}

/** `cev raid fail` and `cev raid remove`: members that take no further part. */
export async function failOrRemove(
  command: "fail" | "remove",
  sources: readonly string[],
  options: DeviceOptions,
): Promise<ExitStatus> {
  // Other words may be names, and stay as they are.
  const devices = devicesOf(options).map((word) => (isUri(word) ? wholeWord(word) : word));
  await workOnArray(sources, options, { command, devices, ...waitingOf(options) });
  return ExitStatus.done;
}

/** `cev raid rebuild`, `cev raid repair` and `cev raid stop` of members: what is due is done, and the array closed clean. */
export async function work(
  command: "rebuild" | "repair" | "stop",
  sources: readonly string[],
  options: WorkOptions,
): Promise<ExitStatus> {
  const waiting = waitingOf(options);
  // A server that is to end does not go on with what is due first.
  const isWaiting = waiting.isWaiting && !(command === "stop" && options.array !== undefined);
  const { array } = await workOnArray(sources, options, { command, ...waiting, isWaiting });
  if (
    command !== "rebuild" ||
    !isWaiting ||
    !array.members.some(({ role, state }) => role !== null && LACKING.has(state))
  )
    return ExitStatus.done;
  complain("there is nothing to rebuild onto: add a device with cev raid add MEMBER... --device NEW");
  return ExitStatus.failed;
}

/** What a place is like that has no member. */
const LACKING: ReadonlySet<string> = new Set(["removed", "faulty"]);

/** `cev raid check`: failed when something does not match. */
export async function check(sources: readonly string[], options: WorkOptions): Promise<ExitStatus> {
  return checkStatus(await workOnArray(sources, options, { command: "check", ...waitingOf(options) }));
}

/** `cev raid grow`: more of each member, or more members. */
export async function grow(sources: readonly string[], options: GrowOptions): Promise<ExitStatus> {
  const { size, raidDevices } = options;
  if (size === undefined && raidDevices === undefined)
    throw new UsageError("say what is to grow: --size SIZE, --size max or --raid-devices COUNT");
  // Forced are the empty places, not the array.
  await workOnArray(
    sources,
    { ...options, force: false },
    {
      command: "grow",
      isForced: options.force === true,
      size: size === undefined ? null : size === "max" ? size : parseSize(size, "--size"),
      memberCount: raidDevices === undefined ? null : parseCount(raidDevices, "--raid-devices"),
      ...waitingOf(options),
    },
  );
  return ExitStatus.done;
}

function devicesOf({ device }: DeviceOptions): readonly string[] {
  if (device === undefined) throw new UsageError("name the device with --device");
  return device;
}
