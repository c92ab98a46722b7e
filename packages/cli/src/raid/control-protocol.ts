import { CevError } from "@cev/core";
import { isObject, parseObject } from "../control/wire.ts";
import type { WireError } from "../control/wire.ts";
import type { SyncDetail } from "./array-detail.ts";
import type { ArrayAnswer, ArrayRequest } from "./array-request.ts";

/** The first line that a server sends. */
export interface Hello {
  readonly protocol: typeof PROTOCOL;
  readonly version: number;
  /** What the array is called. */
  readonly array: string;
}

/** A line of a client. */
export interface ClientMessage {
  readonly request: ArrayRequest;
}

/** A line of a server after the first: how far it is, any number of times, then what came of it. */
export type ServerMessage =
  | { readonly sync: SyncDetail }
  | { readonly answer: ArrayAnswer }
  | { readonly error: WireError };

export const PROTOCOL = "cev-raid-control";
export const PROTOCOL_VERSION = 1;
const COMMANDS = new Set(["detail", "add", "fail", "remove", "rebuild", "check", "repair", "stop", "grow"]);

/** Reads a line of a client. Throws `CEV_PROTOCOL`. */
export function parseClientMessage(line: string): ArrayRequest {
  const message = parseObject(line);
  const request = message["request"];
  if (!isObject(request) || typeof request["command"] !== "string" || !COMMANDS.has(request["command"]))
    throw new CevError("CEV_PROTOCOL", "it is not a request");
  const { command, devices, size, memberCount, isForced, isWaiting, speedLimitKiB } = request;
  const isName = (value: unknown): boolean => typeof value === "string" && value !== "";
  const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && Number(value) > 0;
  const isFine =
    typeof isWaiting === "boolean" &&
    (speedLimitKiB === null || isCount(speedLimitKiB)) &&
    (!["add", "fail", "remove"].includes(command) || (Array.isArray(devices) && devices.every(isName))) &&
    ((command !== "add" && command !== "grow") || typeof isForced === "boolean") &&
    (command !== "grow" ||
      ((size === null || size === "max" || isCount(size)) && (memberCount === null || isCount(memberCount))));
  if (!isFine) throw new CevError("CEV_PROTOCOL", `the request ${command} is not complete`);
  return request as unknown as ArrayRequest;
}

/** Reads the first line of a server. Throws `CEV_PROTOCOL`. */
export function parseHello(line: string): Hello {
  const hello = parseObject(line);
  if (hello["protocol"] !== PROTOCOL || typeof hello["array"] !== "string")
    throw new CevError("CEV_PROTOCOL", "no array is served there");
  if (hello["version"] !== PROTOCOL_VERSION) {
    throw new CevError(
      "CEV_NOT_SUPPORTED",
      `the server speaks another version of the protocol, this is version ${PROTOCOL_VERSION}`,
      { hint: "use the same version of cev for both" },
    );
  }
  return hello as unknown as Hello;
}

/** Reads a later line of a server. Throws `CEV_PROTOCOL`. */
export function parseServerMessage(line: string): ServerMessage {
  const message = parseObject(line);
  if (["sync", "answer", "error"].some((key) => isObject(message[key])))
    return message as unknown as ServerMessage;
  throw new CevError("CEV_PROTOCOL", "the answer is not known here");
}
