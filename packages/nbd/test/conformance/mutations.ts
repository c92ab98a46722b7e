import type { Mutation, OptionReplyMessage, ReplyMessage, RequestMessage, Style } from "./mutating-proxy.ts";

/** A bug of a server, and the check that has to find it. */
export interface Mutant {
  readonly bug: string;
  readonly caughtBy: string;
  readonly mutation: Mutation;
}

export const ACK = 1;

export const ERR_UNSUPPORTED = 0x8000_0001;
export const ERR_INVALID = 0x8000_0003;
export const ERR_TLS_REQUIRED = 0x8000_0005;
export const ERR_UNKNOWN = 0x8000_0006;

export const OPT = {
  exportName: 1,
  abort: 2,
  list: 3,
  startTls: 5,
  info: 6,
  go: 7,
  listMeta: 9,
  setMeta: 10,
} as const;

export const CMD = {
  read: 0,
  write: 1,
  disconnect: 2,
  flush: 3,
  trim: 4,
  cache: 5,
  zeroes: 6,
  status: 7,
} as const;

export const EIO = 5;
export const EINVAL = 22;
export const ENOSPC = 28;
export const ENOTSUP = 95;

export const ERROR_CHUNK = 0x8001;

/** Changes the replies to options that pass a test. */
export function replies(
  isMeant: (message: OptionReplyMessage) => boolean,
  change: (message: OptionReplyMessage) => readonly OptionReplyMessage[] | OptionReplyMessage,
): Mutation {
  return { optionReply: (message) => (isMeant(message) ? [change(message)].flat() : [message]) };
}

/** Changes an info of one type. */
export function info(
  type: number,
  change: (data: Buffer) => Buffer,
  options: readonly number[] = [6, 7],
): Mutation {
  return replies(
    (message) =>
      message.type === 3 && options.includes(message.option) && message.data.readUInt16BE(0) === type,
    (message) => ({ ...message, data: change(message.data) }),
  );
}

/** Changes the transmission flags. */
export function flags(change: (flags: number) => number, options: readonly number[] = [6, 7]): Mutation {
  return info(
    0,
    (data) => {
      data.writeUInt16BE(change(data.readUInt16BE(10)), 10);
      return data;
    },
    options,
  );
}

/** Changes one of the block sizes. */
export function blockSize(at: number, value: number): Mutation {
  return info(3, (data) => {
    data.writeUInt32BE(value, at);
    return data;
  });
}

/** Changes chunks that pass a test. */
export function chunks(
  isMeant: (message: ReplyMessage, request: RequestMessage) => boolean,
  change: (message: ReplyMessage, request: RequestMessage) => readonly ReplyMessage[] | ReplyMessage,
): Mutation {
  return {
    reply: (message, request) =>
      message.kind === "chunk" && isMeant(message, request) ? [change(message, request)].flat() : [message],
  };
}

export const isData = ({ type }: ReplyMessage): boolean => type === 1;

export const isStatus = ({ type }: ReplyMessage): boolean => type === 5 || type === 6;

export const isLastOfRead = ({ flags: bits }: ReplyMessage, { command }: RequestMessage): boolean =>
  command === CMD.read && (bits & 1) !== 0;

/** A reply to a request that says nothing but an error. */
export function errorReply({ cookie, offset }: RequestMessage, style: Style, error: number): ReplyMessage {
  if (style === "simple")
    return { kind: "simple", cookie, error, flags: 0, type: 0, offset, payload: Buffer.alloc(0) };
  const payload = Buffer.alloc(6);
  payload.writeUInt32BE(error, 0);
  const isError = error !== 0;
  return {
    kind: "chunk",
    cookie,
    error,
    flags: 1,
    type: isError ? ERROR_CHUNK : 0,
    offset,
    payload: isError ? payload : Buffer.alloc(0),
  };
}

/** Answers requests in place of the server. */
export function answers(isMeant: (request: RequestMessage) => boolean, error: number): Mutation {
  return {
    answerRequest: (request, style) => (isMeant(request) ? [errorReply(request, style, error)] : null),
  };
}

/** Changes an error of simple replies. */
export function errors(from: number, to: number, command: number | null = null): Mutation {
  return {
    reply: (message, request) => [
      message.kind === "simple" && message.error === from && (command === null || request.command === command)
        ? { ...message, error: to }
        : message,
    ],
  };
}

/** Changes requests of one command on their way to the server. */
export function requests(
  command: number,
  change: (request: RequestMessage) => RequestMessage | null,
): Mutation {
  return { request: (request) => (request.command === command ? change(request) : request) };
}

/** Changes the extents of a status chunk; compact ones. */
export function extents(change: (payload: Buffer) => Buffer): Mutation {
  return chunks(
    ({ type }) => type === 5,
    (message) => ({ ...message, payload: change(message.payload) }),
  );
}

export const empty: Buffer = Buffer.alloc(0);
