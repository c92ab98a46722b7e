import { CevError } from "@cev/core";
import type { Json } from "@cev/core";
import { isObject, parseObject } from "./wire.ts";
import type { WireError } from "./wire.ts";

export const PROTOCOL = "cev-control";
export const PROTOCOL_VERSION = 1;

/** The first line that a server sends. */
export interface Hello {
  readonly protocol: typeof PROTOCOL;
  readonly version: number;
  /** What is served: a stack file, or images. */
  readonly stack: string;
  readonly pid: number;
}

/** What a client may ask for. */
export type ControlRequest =
  | { readonly command: "tree" | "describe" }
  | { readonly command: "stats"; readonly seconds?: number }
  | ({ readonly command: "insert"; readonly above: string; readonly name?: string } & LayerWords)
  | {
      readonly command: "remove";
      readonly device: string;
      readonly changesContent?: boolean;
      readonly timeoutMs?: number;
    }
  | ({ readonly command: "replace"; readonly device: string } & LayerWords)
  | {
      readonly command: "trace";
      readonly count: number;
      readonly device?: string;
      readonly op?: string;
      readonly slowerThanMs?: number;
    }
  /** Ends an earlier request of the same connection. */
  | { readonly command: "cancel"; readonly of: number };

/** What is to be put in. */
interface LayerWords {
  readonly driver: string;
  readonly options?: { readonly [key: string]: Json };
  readonly changesContent?: boolean;
  readonly timeoutMs?: number;
}

/** A line of a client. Its id comes back with all that answers it. */
export type ClientLine = ControlRequest & { readonly id: number };

/** A line of a server after the first: any number of events, then an answer or an error. */
export type ServerLine =
  | { readonly id: number; readonly event: Json }
  | { readonly id: number; readonly answer: Json }
  /** `id` is null where the line could not be read, or has the id of a request that is under way. */
  | { readonly id: number | null; readonly error: WireError };

type Check = (value: Json) => boolean;

const isName: Check = (value) => typeof value === "string" && value !== "";
const isFlag: Check = (value) => typeof value === "boolean";
const isAmount: Check = (value) => typeof value === "number" && value > 0 && value <= 1e9;
const isWhole: Check = (value) => isAmount(value) && Number.isSafeInteger(value);
const isId: Check = (value) => Number.isSafeInteger(value) && Number(value) >= 0;

const LAYER: Words = {
  needed: { driver: isName },
  allowed: { options: isObject, changesContent: isFlag, timeoutMs: isAmount },
};

interface Words {
  readonly needed: { readonly [word: string]: Check };
  readonly allowed: { readonly [word: string]: Check };
}

const COMMANDS: ReadonlyMap<string, Words> = new Map<string, Words>([
  ["tree", { needed: {}, allowed: {} }],
  ["describe", { needed: {}, allowed: {} }],
  ["stats", { needed: {}, allowed: { seconds: isAmount } }],
  ["insert", { needed: { above: isName, ...LAYER.needed }, allowed: { name: isName, ...LAYER.allowed } }],
  ["remove", { needed: { device: isName }, allowed: { changesContent: isFlag, timeoutMs: isAmount } }],
  ["replace", { needed: { device: isName, ...LAYER.needed }, allowed: LAYER.allowed }],
  ["trace", { needed: { count: isWhole }, allowed: { device: isName, op: isName, slowerThanMs: isAmount } }],
  ["cancel", { needed: { of: isId }, allowed: {} }],
]);

/** The id of a line, before the rest of it is looked at. Throws `CEV_PROTOCOL`. */
export function idOf(line: string): {
  readonly id: number;
  readonly message: { readonly [key: string]: Json };
} {
  const message = parseObject(line);
  const { id } = message;
  if (id === undefined || !isId(id))
    throw new CevError("CEV_PROTOCOL", "a request has an id, a whole number from 0 on");
  return { id: Number(id), message };
}

/** Checks a request. Throws `CEV_PROTOCOL`, or `CEV_NOT_SUPPORTED` for a command that is not known here. */
export function checkRequest(message: { readonly [key: string]: Json }): ControlRequest {
  const words = Object.fromEntries(Object.entries(message).filter(([word]) => word !== "id"));
  const command = typeof message["command"] === "string" ? message["command"] : "";
  const known = COMMANDS.get(command);
  if (known === undefined)
    throw new CevError("CEV_NOT_SUPPORTED", `the command ${JSON.stringify(command)} is not known here`, {
      hint: `known are ${[...COMMANDS.keys()].join(", ")}`,
    });
  for (const word of Object.keys(known.needed))
    if (words[word] === undefined) throw new CevError("CEV_PROTOCOL", `${command} needs ${word}`);
  for (const [word, value] of Object.entries(words)) {
    if (word === "command") continue;
    const check = known.needed[word] ?? known.allowed[word];
    if (check === undefined) throw new CevError("CEV_PROTOCOL", `${command} does not know ${word}`);
    if (!check(value)) throw new CevError("CEV_PROTOCOL", `${word} of ${command} makes no sense`);
  }
  return words as unknown as ControlRequest;
}

/** Reads the first line of a server. Throws `CEV_PROTOCOL`, `CEV_NOT_SUPPORTED`. */
export function parseHello(line: string): Hello {
  const hello = parseObject(line);
  if (hello["protocol"] !== PROTOCOL)
    throw new CevError("CEV_PROTOCOL", "this is not the control socket of a stack", {
      hint: "name the socket that cev serve --control was given",
    });
  if (hello["version"] !== PROTOCOL_VERSION)
    throw new CevError(
      "CEV_NOT_SUPPORTED",
      `the server speaks another version of the protocol, this is version ${PROTOCOL_VERSION}`,
      { hint: "use the same version of cev for both" },
    );
  return hello as unknown as Hello;
}

/** Reads a later line of a server. Throws `CEV_PROTOCOL`. */
export function parseServerLine(line: string): ServerLine {
  const message = parseObject(line);
  if (isObject(message["error"]) || "event" in message || "answer" in message)
    return message as unknown as ServerLine;
  throw new CevError("CEV_PROTOCOL", "the answer is not known here");
}
