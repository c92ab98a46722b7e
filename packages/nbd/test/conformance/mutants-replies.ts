import {
  blockSize,
  CMD,
  ERROR_CHUNK,
  chunks,
  isData,
  isStatus,
  isLastOfRead,
  requests,
  extents,
  empty,
} from "./mutations.ts";
import type { ReplyMessage } from "./mutating-proxy.ts";
import type { Mutant } from "./mutations.ts";

/** In place of an error: one about a byte, and content of a sector. */
function errorAt(message: ReplyMessage, offset: bigint): ReplyMessage {
  const payload = Buffer.alloc(14);
  message.payload.copy(payload, 0, 0, 4);
  payload.writeBigUInt64BE(offset, 6);
  return { ...message, flags: 0, type: 0x8002, payload };
}

function contentAt(message: ReplyMessage, offset: bigint): ReplyMessage {
  const payload = Buffer.alloc(8 + 512);
  payload.writeBigUInt64BE(offset, 0);
  return { ...message, flags: 1, type: 1, payload };
}

/** Bugs of replies. */
export const REPLY_MUTANTS: readonly Mutant[] = [
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
    bug: "a chunk is longer than the maximum payload",
    caughtBy: "structured/chunks-within-maximum-payload",
    mutation: blockSize(10, 4096),
  },
  {
    bug: "content comes after the error of its place",
    caughtBy: "structured/failed-read-has-an-error-after-content",
    mutation: chunks(
      ({ type }) => type >= 0x8000,
      (message, { offset }) => [errorAt(message, offset), contentAt(message, offset)],
    ),
  },
  {
    bug: "a read that failed brings bytes from behind the end",
    caughtBy: "structured/failed-read-has-an-error-after-content",
    mutation: chunks(
      ({ type }) => type >= 0x8000,
      (message, { offset, length }) => [{ ...contentAt(message, offset + length - 512n), flags: 0 }, message],
    ),
  },
  {
    bug: "an error is about a byte outside of its request",
    caughtBy: "structured/failed-read-has-an-error-after-content",
    mutation: chunks(
      ({ type }) => type >= 0x8000,
      (message, { offset, length }) => ({ ...errorAt(message, offset + length), flags: 1 }),
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
