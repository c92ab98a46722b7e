import type { Json } from "@cev/core";
import type { LiveStats, LiveTree, RequestTree } from "@cev/stack";
import { ExitStatus } from "../exit-status.ts";
import { Interrupt } from "../interrupt.ts";
import { note, say } from "../output.ts";
import { UsageError } from "../usage-error.ts";
import { askStack } from "./client.ts";
import { layerOptions } from "./layer-options.ts";
import type { ControlRequest } from "./protocol.ts";
import { statsText } from "./stats-text.ts";
import { traceText } from "./trace-text.ts";
import { treeText } from "./tree-text.ts";

/** Options of `cev control`; each belongs to some of its commands. */
export interface ControlOptions {
  readonly above?: string;
  readonly driver?: string;
  readonly option?: readonly string[];
  readonly options?: string;
  readonly name?: string;
  readonly changesContent?: boolean;
  readonly timeout?: string;
  readonly seconds?: string;
  readonly device?: string;
  readonly op?: string;
  readonly count?: string;
  readonly slowerThan?: string;
  readonly json?: boolean;
}

type Word = keyof ControlOptions;

const LAYER_WORDS: readonly Word[] = ["driver", "option", "options", "changesContent", "timeout"];
const WORDS: ReadonlyMap<string, readonly Word[]> = new Map<string, readonly Word[]>([
  ["tree", []],
  ["describe", []],
  ["stats", ["seconds"]],
  ["insert", ["above", "name", ...LAYER_WORDS]],
  ["remove", ["changesContent", "timeout"]],
  ["replace", LAYER_WORDS],
  ["trace", ["device", "op", "count", "slowerThan"]],
]);
const OPS = ["read", "write", "flush", "discard", "writeZeroes"];
const TIMEOUT_SECONDS = 30;
const COUNT = 10;

/** `cev control`: one command to the server of a stack. */
export async function control(
  socket: string,
  command: string,
  name: string | undefined,
  options: ControlOptions,
): Promise<ExitStatus> {
  const request = requestOf(command, name, options);
  const isJson = options.json === true;
  using interrupt = new Interrupt();
  const onEvent = (event: Json): void => {
    if (request.command === "trace")
      for (const line of isJson ? [JSON.stringify(event)] : traceText(event as unknown as RequestTree))
        say(line);
    else tellStep(event);
  };
  const answer = await askStack(socket, request, onEvent, interrupt.signal);
  if (request.command === "trace") tellDropped(answer);
  else if (isJson || request.command === "describe") say(JSON.stringify(answer, null, 2));
  else for (const line of answerText(request, answer)) say(line);
  return ExitStatus.done;
}

/** What is asked of the server. Throws a `UsageError`. */
export function requestOf(
  command: string,
  name: string | undefined,
  options: ControlOptions,
): Exclude<ControlRequest, { readonly command: "cancel" }> {
  checkWords(command, name, options);
  const { seconds, driver, above, device, op } = options;
  switch (command) {
    case "stats":
      return { command, ...(seconds === undefined ? {} : { seconds: amount(seconds, "--seconds") }) };
    case "insert":
      if (above === undefined) throw new UsageError("insert needs --above NAME");
      return {
        command,
        above,
        ...(options.name === undefined ? {} : { name: options.name }),
        ...layerOf(command, driver, options),
      };
    case "replace":
      return { command, device: name!, ...layerOf(command, driver, options) };
    case "remove":
      return { command, device: name!, ...howOf(options) };
    case "trace":
      if (op !== undefined && !OPS.includes(op))
        throw new UsageError(`--op takes ${OPS.join(", ")}, not ${op}`);
      return {
        command,
        count: options.count === undefined ? COUNT : Math.ceil(amount(options.count, "--count")),
        ...(device === undefined ? {} : { device }),
        ...(op === undefined ? {} : { op }),
        ...(options.slowerThan === undefined
          ? {}
          : { slowerThanMs: amount(options.slowerThan, "--slower-than") }),
      };
    default:
      return { command: command === "describe" ? "describe" : "tree" };
  }
}

function checkWords(command: string, name: string | undefined, options: ControlOptions): void {
  const words = WORDS.get(command);
  if (words === undefined)
    throw new UsageError(`there is no command ${command}: use ${[...WORDS.keys()].join(", ")}`);
  const needsName = command === "remove" || command === "replace";
  if (needsName && name === undefined) throw new UsageError(`${command} needs the name of a device`);
  if (!needsName && name !== undefined)
    throw new UsageError(`${command} takes no name: see --above and --device`);
  const other = Object.keys(options).find((word) => word !== "json" && !words.includes(word as Word));
  if (other === undefined) return;
  const option = `--${other.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new UsageError(`${option} does not belong to ${command}`);
}

interface LayerRequest {
  readonly driver: string;
  readonly options: { readonly [key: string]: Json };
  readonly changesContent: boolean;
  readonly timeoutMs: number;
}

function layerOf(command: string, driver: string | undefined, options: ControlOptions): LayerRequest {
  if (driver === undefined) throw new UsageError(`${command} needs --driver`);
  return { driver, options: layerOptions(options.options, options.option), ...howOf(options) };
}

function howOf({ changesContent = false, timeout }: ControlOptions): {
  readonly changesContent: boolean;
  readonly timeoutMs: number;
} {
  const seconds = timeout === undefined ? TIMEOUT_SECONDS : amount(timeout, "--timeout");
  return { changesContent, timeoutMs: seconds * 1000 };
}

function amount(text: string, option: string): number {
  const value = Number(text);
  if (/^\d{1,6}(\.\d+)?$/.test(text) && value > 0) return value;
  throw new UsageError(`${option} takes a number, such as 5, not ${text}`);
}

/** While it takes long: on standard error, since standard output is for the answer. */
function tellStep(event: Json): void {
  const { state, inFlight } = event as { readonly state: string; readonly inFlight: number };
  if (state === "draining" && inFlight > 0 && process.stderr.isTTY) note(`waiting for ${inFlight} requests`);
}

function tellDropped(answer: Json): void {
  const { dropped } = answer as { readonly dropped: number };
  if (dropped > 0) note(`${dropped} more were not taken in time, and are not shown`);
}

function answerText(request: ControlRequest, answer: Json): string[] {
  if (request.command === "tree") return treeText(answer as unknown as LiveTree);
  if (request.command === "stats") return statsText(answer as unknown as LiveStats);
  const { name } = answer as { readonly name: string };
  if (request.command === "remove") return [`${name} is taken out`];
  return [request.command === "replace" ? `${name} is exchanged` : `${name} is put in`];
}
