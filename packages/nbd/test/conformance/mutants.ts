import type { Mutation, OptionReplyMessage, ReplyMessage, RequestMessage, Style } from "./mutating-proxy.ts";

/** A bug of a server, and the check that has to find it. */
export interface Mutant {
  readonly bug: string;
  readonly caughtBy: string;
  readonly mutation: Mutation;
}

const ACK = 1;
const [ERR_UNSUPPORTED, ERR_INVALID, ERR_TLS_REQUIRED, ERR_UNKNOWN] = [
  0x8000_0001, 0x8000_0003, 0x8000_0005, 0x8000_0006,
];
const OPT = {
  exportName: 1,
  abort: 2,
  list: 3,
  startTls: 5,
  info: 6,
  go: 7,
  listMeta: 9,
  setMeta: 10,
} as const;
const CMD = { read: 0, write: 1, disconnect: 2, flush: 3, trim: 4, cache: 5, zeroes: 6, status: 7 } as const;
const [EIO, EINVAL, ENOSPC, ENOTSUP] = [5, 22, 28, 95];
const ERROR_CHUNK = 0x8001;

/** Changes the replies to options that pass a test. */
function replies(
  isMeant: (message: OptionReplyMessage) => boolean,
  change: (message: OptionReplyMessage) => readonly OptionReplyMessage[] | OptionReplyMessage,
): Mutation {
  return { optionReply: (message) => (isMeant(message) ? [change(message)].flat() : [message]) };
}

/** Changes an info of one type. */
function info(type: number, change: (data: Buffer) => Buffer, options: readonly number[] = [6, 7]): Mutation {
  return replies(
    (message) =>
      message.type === 3 && options.includes(message.option) && message.data.readUInt16BE(0) === type,
    (message) => ({ ...message, data: change(message.data) }),
  );
}

/** Changes the transmission flags. */
function flags(change: (flags: number) => number, options: readonly number[] = [6, 7]): Mutation {
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
function blockSize(at: number, value: number): Mutation {
  return info(3, (data) => {
    data.writeUInt32BE(value, at);
    return data;
  });
}

/** Changes chunks that pass a test. */
function chunks(
  isMeant: (message: ReplyMessage, request: RequestMessage) => boolean,
  change: (message: ReplyMessage, request: RequestMessage) => readonly ReplyMessage[] | ReplyMessage,
): Mutation {
  return {
    reply: (message, request) =>
      message.kind === "chunk" && isMeant(message, request) ? [change(message, request)].flat() : [message],
  };
}

const isData = ({ type }: ReplyMessage): boolean => type === 1;
const isStatus = ({ type }: ReplyMessage): boolean => type === 5 || type === 6;
const isLastOfRead = ({ flags: bits }: ReplyMessage, { command }: RequestMessage): boolean =>
  command === CMD.read && (bits & 1) !== 0;

/** A reply to a request that says nothing but an error. */
function errorReply({ cookie, offset }: RequestMessage, style: Style, error: number): ReplyMessage {
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
function answers(isMeant: (request: RequestMessage) => boolean, error: number): Mutation {
  return {
    answerRequest: (request, style) => (isMeant(request) ? [errorReply(request, style, error)] : null),
  };
}

/** Changes an error of simple replies. */
function errors(from: number, to: number, command: number | null = null): Mutation {
  return {
    reply: (message, request) => [
      message.kind === "simple" && message.error === from && (command === null || request.command === command)
        ? { ...message, error: to }
        : message,
    ],
  };
}

/** Changes requests of one command on their way to the server. */
function requests(command: number, change: (request: RequestMessage) => RequestMessage | null): Mutation {
  return { request: (request) => (request.command === command ? change(request) : request) };
}

/** Changes the extents of a status chunk; compact ones. */
function extents(change: (payload: Buffer) => Buffer): Mutation {
  return chunks(
    ({ type }) => type === 5,
    (message) => ({ ...message, payload: change(message.payload) }),
  );
}

const empty = Buffer.alloc(0);

/** Bugs, by the groups of the suite. */
export const MUTANTS: readonly Mutant[] = [
  {
    bug: "fixed newstyle is not offered",
    caughtBy: "greeting/sets-fixed-newstyle",
    mutation: { greeting: (bytes) => Buffer.concat([bytes.subarray(0, 17), Buffer.from([2])]) },
  },
  {
    bug: "a handshake flag that does not exist",
    caughtBy: "greeting/no-unknown-handshake-flags",
    mutation: { greeting: (bytes) => Buffer.concat([bytes.subarray(0, 16), Buffer.from([0x80, 3])]) },
  },
  {
    bug: "another magic number",
    caughtBy: "greeting/sends-magic-and-haveopt",
    mutation: { greeting: (bytes) => Buffer.concat([Buffer.from("NBDMAGIK"), bytes.subarray(8)]) },
  },
  {
    bug: "options are told before the client's flags",
    caughtBy: "greeting/waits-for-client-flags",
    mutation: { greeting: (bytes) => Buffer.concat([bytes, Buffer.alloc(20)]) },
  },
  {
    bug: "unknown client flags are overlooked",
    caughtBy: "greeting/unknown-client-flag-closes",
    mutation: { clientFlags: (bits) => bits & 3 },
  },
  {
    bug: "unknown options are accepted",
    caughtBy: "options/unknown-option-unsup",
    mutation: replies(
      ({ type }) => type === ERR_UNSUPPORTED,
      (message) => ({ ...message, type: ACK, data: empty }),
    ),
  },
  {
    bug: "data of unknown options is taken for the next option",
    caughtBy: "options/unknown-option-data-skipped",
    mutation: {
      answerOption: ({ option, data }) =>
        option > 100 && data.length > 0
          ? [
              { option, type: ERR_UNSUPPORTED, data: empty },
              { option: 8, type: ACK, data: empty },
            ]
          : null,
    },
  },
  {
    bug: "replies name another option",
    caughtBy: "options/reply-repeats-option",
    mutation: replies(
      () => true,
      (message) => ({ ...message, option: message.option ^ 1 }),
    ),
  },
  {
    bug: "replies have another magic number",
    caughtBy: "options/reply-magic",
    mutation: replies(
      () => true,
      (message) => ({ ...message, magic: "0003e889045565aa" }),
    ),
  },
  {
    bug: "ABORT gets no answer",
    caughtBy: "options/abort-acked",
    mutation: replies(
      ({ option }) => option === OPT.abort,
      () => [],
    ),
  },
  {
    bug: "ABORT with data is refused",
    caughtBy: "options/abort-with-data-acked",
    mutation: {
      answerOption: ({ option, data }) =>
        option === OPT.abort && data.length > 0 ? [{ option, type: ERR_INVALID, data: empty }] : null,
    },
  },
  {
    bug: "an ack has data",
    caughtBy: "options/ack-has-no-data",
    mutation: replies(
      ({ type }) => type === ACK,
      (message) => ({ ...message, data: Buffer.from("ok") }),
    ),
  },
  {
    bug: "the text of an error is no UTF-8",
    caughtBy: "options/error-text-is-a-string",
    mutation: replies(
      ({ type }) => type > ACK + 0x8000_0000 - 1,
      (message) => ({ ...message, data: Buffer.from([0xff, 0xfe]) }),
    ),
  },
  {
    bug: "an export is listed twice",
    caughtBy: "list/one-reply-per-export",
    mutation: replies(
      ({ type }) => type === 2,
      (message) => [message, message],
    ),
  },
  {
    bug: "a listed name is longer than its reply",
    caughtBy: "list/name-length-within-reply",
    mutation: replies(
      ({ type }) => type === 2,
      (message) => {
        message.data.writeUInt32BE(5000, 0);
        return message;
      },
    ),
  },
  {
    bug: "LIST with data is obeyed",
    caughtBy: "list/with-data-invalid",
    mutation: { option: (message) => (message.option === OPT.list ? { ...message, data: empty } : message) },
  },
  {
    bug: "no info about the export",
    caughtBy: "info/export-info-comes",
    mutation: replies(
      ({ type, data }) => type === 3 && data.readUInt16BE(0) === 0,
      () => [],
    ),
  },
  {
    bug: "an export info of 13 bytes",
    caughtBy: "info/export-info-has-12-bytes",
    mutation: info(0, (data) => Buffer.concat([data, Buffer.alloc(1)])),
  },
  {
    bug: "GO tells other flags than INFO",
    caughtBy: "info/go-same-as-info",
    mutation: flags((bits) => bits ^ 16, [7]),
  },
  {
    bug: "an unknown export is invalid, not unknown",
    caughtBy: "info/unknown-export-unknown",
    mutation: replies(
      ({ type }) => type === ERR_UNKNOWN,
      (message) => ({ ...message, type: ERR_INVALID }),
    ),
  },
  { bug: "a minimum block of 3", caughtBy: "info/minimum-block-valid", mutation: blockSize(2, 3) },
  { bug: "a preferred block of 256", caughtBy: "info/preferred-block-valid", mutation: blockSize(6, 256) },
  {
    bug: "a maximum payload of a sector",
    caughtBy: "info/maximum-payload-valid",
    mutation: blockSize(10, 512),
  },
  { bug: "HAS_FLAGS is not set", caughtBy: "info/has-flags-set", mutation: flags((bits) => bits & ~1) },
  {
    bug: "fast zeroes without zeroes",
    caughtBy: "info/fast-zero-implies-zeroes",
    mutation: flags((bits) => (bits & ~64) | 2048),
  },
  {
    bug: "DF without structured replies",
    caughtBy: "info/no-df-without-structured",
    mutation: flags((bits) => bits | 128),
  },
  {
    bug: "status with a payload without extended headers",
    caughtBy: "info/no-status-payload-without-extended",
    mutation: flags((bits) => bits | 4096),
  },
  { bug: "zeroes after GO", caughtBy: "info/no-padding-after-go", mutation: { afterGo: Buffer.alloc(124) } },
  {
    bug: "data behind the requests of INFO is overlooked",
    caughtBy: "info/trailing-data-invalid",
    mutation: {
      option: (message) => {
        if (message.option !== OPT.info && message.option !== OPT.go) return message;
        if (message.data.length < 6) return message;
        const name = message.data.readUInt32BE(0);
        if (6 + name > message.data.length) return message;
        const count = message.data.readUInt16BE(4 + name);
        return { ...message, data: message.data.subarray(0, 6 + name + 2 * count) };
      },
    },
  },
  {
    bug: "EXPORT_NAME tells another size",
    caughtBy: "export-name/same-as-info",
    mutation: {
      exportName: (bytes) => {
        bytes.writeUInt8(bytes.readUInt8(6) ^ 2, 6);
        return bytes;
      },
    },
  },
  {
    bug: "no zeroes after EXPORT_NAME",
    caughtBy: "export-name/124-zeroes",
    mutation: { exportName: (bytes) => bytes.subarray(0, 10) },
  },
  {
    bug: "zeroes after EXPORT_NAME though they were not wanted",
    caughtBy: "export-name/no-zeroes",
    mutation: { exportName: (bytes) => Buffer.concat([bytes, Buffer.alloc(134 - bytes.length)]) },
  },
  {
    bug: "EXPORT_NAME of an unknown export gets an error",
    caughtBy: "export-name/unknown-name-closes",
    mutation: {
      answerOption: ({ option, data }) =>
        option === OPT.exportName && data.length > 10 ? [{ option, type: ERR_UNKNOWN, data: empty }] : null,
    },
  },
  {
    bug: "STARTTLS is answered with what is for exports",
    caughtBy: "tls/starttls-answered",
    mutation: replies(
      ({ option }) => option === OPT.startTls,
      (message) => ({ ...message, type: ERR_UNKNOWN }),
    ),
  },
  {
    bug: "TLS is demanded by a server that has none",
    caughtBy: "tls/no-tls-required-where-there-is-none",
    mutation: replies(
      ({ option, type }) => option === OPT.list && type === ACK,
      (message) => ({ ...message, type: ERR_TLS_REQUIRED }),
    ),
  },
  {
    bug: "reads get simple replies though structured ones were negotiated",
    caughtBy: "structured/read-uses-chunks",
    mutation: chunks(
      (message) => isData(message),
      (message) => ({ ...message, kind: "simple", payload: message.payload.subarray(8) }),
    ),
  },
  {
    bug: "a data chunk is cut short",
    caughtBy: "structured/content-covers-request",
    mutation: chunks(
      (message) => isData(message) && message.payload.length > 600,
      (message) => ({ ...message, payload: message.payload.subarray(0, message.payload.length - 512) }),
    ),
  },
  {
    bug: "a data chunk comes twice",
    caughtBy: "structured/content-does-not-overlap",
    mutation: chunks(
      (message) => isData(message),
      (message) => [{ ...message, flags: 0 }, message],
    ),
  },
  {
    bug: "a data chunk of another place",
    caughtBy: "structured/content-inside-request",
    mutation: chunks(
      (message) => isData(message),
      (message) => {
        message.payload.writeBigUInt64BE(message.payload.readBigUInt64BE(0) + 512n, 0);
        return message;
      },
    ),
  },
  {
    bug: "two last chunks",
    caughtBy: "structured/last-chunk-is-last",
    mutation: chunks(isLastOfRead, (message) => [message, { ...message, type: 0, payload: empty }]),
  },
  {
    bug: "a data chunk without data",
    caughtBy: "structured/data-chunk-has-data",
    mutation: chunks(
      (message) => isData(message),
      (message) => [{ ...message, flags: 0, payload: message.payload.subarray(0, 8) }, message],
    ),
  },
  {
    bug: "a hole of no bytes",
    caughtBy: "structured/hole-chunk-valid",
    mutation: chunks(
      (message) => isData(message),
      (message) => [
        {
          ...message,
          flags: 0,
          type: 2,
          payload: Buffer.concat([message.payload.subarray(0, 8), Buffer.alloc(4)]),
        },
        message,
      ],
    ),
  },
  {
    bug: "an empty chunk that is not the last",
    caughtBy: "structured/none-chunk-empty-and-last",
    mutation: chunks(isLastOfRead, (message) => [{ ...message, flags: 0, type: 0, payload: empty }, message]),
  },
  {
    bug: "a chunk flag that does not exist",
    caughtBy: "structured/no-unknown-chunk-flags",
    mutation: chunks(isLastOfRead, (message) => ({ ...message, flags: message.flags | 2 })),
  },
  {
    bug: "a chunk type that does not exist",
    caughtBy: "structured/read-chunk-types-known",
    mutation: chunks(isLastOfRead, (message) => [
      { ...message, flags: 0, type: 77, payload: empty },
      message,
    ]),
  },
  {
    bug: "an error chunk with the error 0",
    caughtBy: "structured/error-chunk-valid",
    mutation: chunks(
      ({ type }) => type >= 0x8000,
      (message) => {
        message.payload.writeUInt32BE(0, 0);
        return message;
      },
    ),
  },
  {
    bug: "a message longer than its error chunk",
    caughtBy: "structured/error-chunk-valid",
    mutation: chunks(
      ({ type }) => type >= 0x8000,
      (message) => {
        message.payload.writeUInt16BE(message.payload.length, 4);
        return message;
      },
    ),
  },
  {
    bug: "an error's text of 5000 bytes",
    caughtBy: "structured/error-text-is-a-string",
    mutation: chunks(
      ({ type }) => type >= 0x8000,
      (message) => {
        const payload = Buffer.alloc(5014, "x");
        message.payload.copy(payload, 0, 0, 4);
        payload.writeUInt16BE(5000, 4);
        return { ...message, payload: payload.subarray(0, message.type === ERROR_CHUNK ? 5006 : 5014) };
      },
    ),
  },
  {
    bug: "data is told as a hole",
    caughtBy: "structured/same-data-as-simple",
    mutation: chunks(
      (message) => isData(message),
      (message) => {
        const payload = Buffer.alloc(12);
        message.payload.copy(payload, 0, 0, 8);
        payload.writeUInt32BE(message.payload.length - 8, 8);
        return { ...message, type: 2, payload };
      },
    ),
  },
  {
    bug: "an unfragmented read comes in two chunks",
    caughtBy: "structured/df-one-content-chunk",
    mutation: chunks(
      (message) => isData(message) && message.payload.length > 1032,
      (message) => {
        const rest = Buffer.from(message.payload.subarray(512));
        rest.writeBigUInt64BE(message.payload.readBigUInt64BE(0) + 512n, 0);
        return [
          { ...message, flags: 0, payload: message.payload.subarray(0, 520) },
          { ...message, payload: rest },
        ];
      },
    ),
  },
  {
    bug: "a read past the end is ENOSPC",
    caughtBy: "read/past-the-end-einval",
    mutation: errors(EINVAL, ENOSPC, CMD.read),
  },
  {
    bug: "a read past the end succeeds",
    caughtBy: "read/past-the-end-fails",
    mutation: {
      reply: (message, request) => [
        message.kind === "simple" && request.command === CMD.read && message.error !== 0
          ? { ...message, error: 0, payload: Buffer.alloc(Number(request.length)) }
          : message,
      ],
    },
  },
  {
    bug: "unknown flags of a read are overlooked",
    caughtBy: "read/unknown-flags-einval",
    mutation: requests(CMD.read, (request) => ({ ...request, flags: request.flags & 5 })),
  },
  {
    bug: "an error that the document does not know",
    caughtBy: "read/error-values-known",
    mutation: errors(EINVAL, 61),
  },
  {
    bug: "unknown commands are ENOTSUP",
    caughtBy: "read/enotsup-eoverflow-not-for-bad-requests",
    mutation: errors(EINVAL, ENOTSUP),
  },
  {
    bug: "unknown commands succeed",
    caughtBy: "requests/unknown-command-einval",
    mutation: answers(({ command }) => command > 7, 0),
  },
  {
    bug: "cookies are turned around",
    caughtBy: "requests/cookie-echoed",
    mutation: {
      reply: (message) => [
        { ...message, cookie: ((message.cookie & 0xffff_ffffn) << 32n) | (message.cookie >> 32n) },
      ],
    },
  },
  {
    bug: "the high half of cookies is lost",
    caughtBy: "requests/cookie-echoed",
    mutation: { reply: (message) => [{ ...message, cookie: message.cookie & 0xffff_ffffn }] },
  },
  {
    bug: "a request is answered twice",
    caughtBy: "requests/no-reply-twice",
    mutation: { reply: (message) => [message, message] },
  },
  {
    bug: "one of many requests is dropped",
    caughtBy: "requests/hundred-at-once",
    mutation: requests(CMD.read, (request) => (request.cookie % 37n === 0n ? null : request)),
  },
  {
    bug: "writes are answered and not done",
    caughtBy: "write/reads-back",
    mutation: answers(({ command }) => command === CMD.write, 0),
  },
  {
    bug: "writes go a byte astray",
    caughtBy: "write/changes-nothing-around",
    mutation: requests(CMD.write, (request) =>
      request.payload.length === 1 ? { ...request, offset: request.offset + 1n } : request,
    ),
  },
  {
    bug: "a write past the end is EINVAL",
    caughtBy: "write/past-the-end-enospc",
    mutation: errors(ENOSPC, EINVAL, CMD.write),
  },
  {
    bug: "a write past the end is cut short and succeeds",
    caughtBy: "write/past-the-end-fails-in-step",
    mutation: errors(ENOSPC, 0, CMD.write),
  },
  {
    bug: "FUA is refused",
    caughtBy: "write/fua-accepted",
    mutation: answers(({ command, flags: bits }) => command === CMD.write && (bits & 1) !== 0, EINVAL),
  },
  {
    bug: "the payload of a refused write is taken for requests",
    caughtBy: "write/unknown-flags-einval-in-step",
    mutation: requests(CMD.write, (request) =>
      (request.flags & ~1) === 0 ? request : { ...request, command: 99, length: 0n },
    ),
  },
  {
    bug: "a write to a read-only export is EIO",
    caughtBy: "write/read-only-eperm",
    mutation: errors(1, EIO),
  },
  {
    bug: "a write to a read-only export succeeds",
    caughtBy: "write/read-only-fails-in-step",
    mutation: errors(1, 0),
  },
  {
    bug: "a flush fails",
    caughtBy: "flush/succeeds",
    mutation: answers(({ command }) => command === CMD.flush, EIO),
  },
  {
    bug: "a flush with FUA is refused",
    caughtBy: "flush/fua-accepted",
    mutation: answers(({ command, flags: bits }) => command === CMD.flush && bits !== 0, EINVAL),
  },
  {
    bug: "a trim reaches further than it was asked to",
    caughtBy: "trim/touches-nothing-around",
    mutation: requests(CMD.trim, (request) => ({
      ...request,
      command: CMD.zeroes,
      length: request.length + 512n,
    })),
  },
  {
    bug: "a trim past the end succeeds",
    caughtBy: "trim/past-the-end-einval",
    mutation: errors(EINVAL, 0, CMD.trim),
  },
  {
    bug: "zeroes are answered and not written",
    caughtBy: "zeroes/read-back",
    mutation: answers(({ command }) => command === CMD.zeroes, 0),
  },
  {
    bug: "zeroes without a hole are refused",
    caughtBy: "zeroes/no-hole-accepted",
    mutation: answers(({ command, flags: bits }) => command === CMD.zeroes && (bits & 2) !== 0, EINVAL),
  },
  {
    bug: "zeroes are ENOTSUP though nobody asked for fast ones",
    caughtBy: "zeroes/no-enotsup-without-fast",
    mutation: answers(({ command }) => command === CMD.zeroes, ENOTSUP),
  },
  {
    bug: "fast zeroes fail with EIO",
    caughtBy: "zeroes/fast-zeroes-or-enotsup",
    mutation: answers(({ command, flags: bits }) => command === CMD.zeroes && (bits & 16) !== 0, EIO),
  },
  {
    bug: "zeroes past the end are EINVAL",
    caughtBy: "zeroes/past-the-end-enospc",
    mutation: errors(ENOSPC, EINVAL, CMD.zeroes),
  },
  {
    bug: "flags of a cache request are overlooked",
    caughtBy: "cache/unknown-flags-rejected",
    mutation: requests(CMD.cache, (request) => ({ ...request, flags: 0 })),
  },
  {
    bug: "DISC is overlooked",
    caughtBy: "disconnect/closes-without-reply",
    mutation: requests(CMD.disconnect, () => null),
  },
  {
    bug: "DISC gets an answer",
    caughtBy: "disconnect/closes-without-reply",
    mutation: answers(({ command }) => command === CMD.disconnect, 0),
  },
  {
    bug: "DISC drops what is under way",
    caughtBy: "disconnect/answers-what-is-under-way",
    mutation: { isHasty: true },
  },
  {
    bug: "“base:” selects a context",
    caughtBy: "meta/set-ignores-base-wildcard",
    mutation: {
      option: (message) =>
        message.option === OPT.setMeta && message.data.toString("latin1").endsWith("\0\0\0\u0005base:")
          ? {
              ...message,
              data: Buffer.concat([
                message.data.subarray(0, -9),
                Buffer.from("\0\0\0\u000fbase:allocation", "latin1"),
              ]),
            }
          : message,
    },
  },
  {
    bug: "an unknown leaf is an error",
    caughtBy: "meta/unknown-leaf-ignored",
    mutation: replies(
      ({ option, type }) => option === OPT.listMeta && type === ACK,
      (message) => ({ ...message, type: ERR_INVALID }),
    ),
  },
  {
    bug: "the list of contexts leaves out base:allocation",
    caughtBy: "meta/list-all-has-allocation",
    mutation: replies(
      ({ option, type, data }) => option === OPT.listMeta && type === 4 && data.includes("base:"),
      () => [],
    ),
  },
  {
    bug: "all contexts have one id",
    caughtBy: "meta/ids-unique",
    mutation: replies(
      ({ option, type }) => option === OPT.setMeta && type === 4,
      (message) => {
        message.data.writeUInt32BE(7, 0);
        return message;
      },
    ),
  },
  {
    bug: "a query that is cut short is accepted",
    caughtBy: "meta/query-longer-than-data-invalid",
    mutation: replies(
      ({ option, type }) => (option === OPT.setMeta || option === OPT.listMeta) && type === ERR_INVALID,
      (message) => ({ ...message, type: ACK, data: empty }),
    ),
  },
  {
    bug: "an extent of no bytes",
    caughtBy: "block-status/extents-not-empty",
    mutation: extents((payload) => {
      payload.writeUInt32BE(0, 4);
      return payload;
    }),
  },
  {
    bug: "two extents for REQ_ONE",
    caughtBy: "block-status/req-one-single",
    mutation: extents((payload) => Buffer.concat([payload, payload.subarray(4, 12)])),
  },
  {
    bug: "REQ_ONE tells more than was asked for",
    caughtBy: "block-status/req-one-within-request",
    mutation: extents((payload) => {
      payload.writeUInt32BE(payload.readUInt32BE(4) * 2, 4);
      return payload;
    }),
  },
  {
    bug: "extents go on behind the request",
    caughtBy: "block-status/all-but-last-within-request",
    mutation: extents((payload) =>
      Buffer.concat([payload, payload.subarray(4, 12), payload.subarray(4, 12)]),
    ),
  },
  {
    bug: "extents reach past the end",
    caughtBy: "block-status/ends-within-export",
    mutation: extents((payload) => {
      payload.writeUInt32BE(0x4000_0000, payload.length - 8);
      return payload;
    }),
  },
  {
    bug: "data is told as zeroes",
    caughtBy: "block-status/zero-extents-read-as-zero",
    mutation: extents((payload) => {
      payload.writeUInt32BE(3, 8);
      return payload;
    }),
  },
  {
    bug: "what was just written is told as zeroes",
    caughtBy: "block-status/written-is-not-zero",
    mutation: extents((payload) => {
      payload.writeUInt32BE(2, 8);
      return payload;
    }),
  },
  {
    bug: "reserved status flags",
    caughtBy: "block-status/reserved-flags-clear",
    mutation: extents((payload) => {
      payload.writeUInt32BE(payload.readUInt32BE(8) | 16, 8);
      return payload;
    }),
  },
  {
    bug: "two status chunks for one context",
    caughtBy: "block-status/one-chunk-per-context",
    mutation: chunks(isStatus, (message) => [{ ...message, flags: 0 }, message]),
  },
  {
    bug: "status past the end succeeds",
    caughtBy: "block-status/past-the-end-einval",
    mutation: requests(CMD.status, (request) => ({ ...request, offset: 0n })),
  },
  {
    bug: "extended replies do not repeat the offset",
    caughtBy: "extended/offset-echoed",
    mutation: { reply: (message) => [{ ...message, offset: 0n }] },
  },
  {
    bug: "extended status with another count of extents",
    caughtBy: "extended/status-descriptor-count",
    mutation: chunks(
      ({ type }) => type === 6,
      (message) => {
        message.payload.writeUInt32BE(message.payload.readUInt32BE(4) + 1, 4);
        return message;
      },
    ),
  },
  {
    bug: "extended status has bits above 32",
    caughtBy: "extended/status-high-bits-zero",
    mutation: chunks(
      ({ type }) => type === 6,
      (message) => {
        message.payload.writeUInt32BE(1, 16);
        return message;
      },
    ),
  },
  {
    bug: "compact status chunks with extended headers",
    caughtBy: "extended/status-chunks-are-extended",
    mutation: chunks(
      ({ type }) => type === 6,
      (message) => ({ ...message, type: 5 }),
    ),
  },
  {
    bug: "an id given twice is overlooked",
    caughtBy: "extended/status-payload-duplicate-id-einval",
    mutation: requests(CMD.status, (request) =>
      request.payload.length === 16
        ? { ...request, length: 12n, payload: request.payload.subarray(0, 12) }
        : request,
    ),
  },
  {
    bug: "lengths are cut to 32 bits",
    caughtBy: "extended/length-above-32-bits-not-cut",
    mutation: requests(CMD.read, (request) => ({ ...request, length: request.length & 0xffff_ffffn })),
  },
];
