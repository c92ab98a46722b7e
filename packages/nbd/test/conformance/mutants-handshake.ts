import {
  ACK,
  answers,
  CMD,
  EINVAL,
  ERR_UNSUPPORTED,
  ERR_INVALID,
  ERR_TLS_REQUIRED,
  ERR_UNKNOWN,
  OPT,
  replies,
  info,
  flags,
  blockSize,
  empty,
} from "./mutations.ts";
import type { Mutant } from "./mutations.ts";

/** Bugs of the handshake. */
export const HANDSHAKE_MUTANTS: readonly Mutant[] = [
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
    bug: "a listed export has no length of its name",
    caughtBy: "list/one-reply-per-export",
    mutation: replies(
      ({ option, type }) => option === OPT.list && type === 2,
      (message) => ({ ...message, data: message.data.subarray(0, 2) }),
    ),
  },
  {
    bug: "a listed name is said to be longer than its reply",
    caughtBy: "list/names-are-strings",
    mutation: replies(
      ({ option, type }) => option === OPT.list && type === 2,
      (message) => ({ ...message, data: Buffer.from([0, 0, 1, 0]) }),
    ),
  },
  {
    bug: "an info reply is a single byte",
    caughtBy: "info/each-type-once",
    mutation: replies(
      ({ option, type }) => option === OPT.info && type === 3,
      (message) => ({ ...message, data: message.data.subarray(0, 1) }),
    ),
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
  {
    bug: "whole blocks alone are read, and nobody is told",
    caughtBy: "info/enforced-sizes-are-told",
    mutation: {
      ...replies(
        ({ type, data }) => type === 3 && data.readUInt16BE(0) === 3,
        () => [],
      ),
      ...answers(({ command, length }) => command === CMD.read && length % 512n !== 0n, EINVAL),
    },
  },
  {
    bug: "reads above 256 KiB are refused, and nobody is told",
    caughtBy: "info/enforced-sizes-are-told",
    mutation: {
      ...replies(
        ({ type, data }) => type === 3 && data.readUInt16BE(0) === 3,
        () => [],
      ),
      ...answers(({ command, length }) => command === CMD.read && length > 262_144n, EINVAL),
    },
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
];
