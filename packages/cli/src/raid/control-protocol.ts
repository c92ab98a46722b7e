import { CevError, ERROR_CODES, isCevError } from "@cev/core";
import type { ErrorCode, Json } from "@cev/core";
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

interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly source: string | null;
  readonly hint: string | null;
}

export const PROTOCOL = "cev-raid-control";
export const PROTOCOL_VERSION = 1;
/** Characters of a line; more than any message has. */
const LINE_LENGTH_MAX = 1 << 20;
const COMMANDS = new Set(["detail", "add", "fail", "remove", "rebuild", "check", "repair", "stop", "grow"]);

/** Cuts what arrives into lines. Throws `CEV_PROTOCOL` for a line without end. */
export class LineReader {
  #text = "";

  /** The lines that are complete now. */
  take(text: string): string[] {
    const lines = (this.#text + text).split("\n");
    this.#text = lines.pop()!;
    if (this.#text.length > LINE_LENGTH_MAX) throw new CevError("CEV_PROTOCOL", "a line has no end");
    return lines;
  }
}

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

/** An error as it is sent. */
export function wireError(error: unknown): WireError {
  if (!isCevError(error)) {
    const message = error instanceof Error ? error.message : String(error);
    return { code: "CEV_PROGRAM", message, source: null, hint: null };
  }
  const { source, hint } = error.place;
  return { code: error.code, message: error.message, source: source ?? null, hint: hint ?? null };
}

/** The error that was sent. */
export function sentError({ code, message, source, hint }: WireError): CevError {
  const known = Object.hasOwn(ERROR_CODES, code) ? code : "CEV_PROTOCOL";
  return new CevError(known, message, {
    ...(source === null ? {} : { source }),
    ...(hint === null ? {} : { hint }),
  });
}

function parseObject(line: string): { readonly [key: string]: Json } {
  let value: unknown = null;
  try {
    value = JSON.parse(line);
  } catch {
    // Said below, as for anything else that is no object.
  }
  if (!isObject(value)) throw new CevError("CEV_PROTOCOL", "it is not a line of this protocol");
  return value;
}

const isObject = (value: unknown): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);
