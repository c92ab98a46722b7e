import {
  ChunkType,
  Command,
  CommandFlag,
  NbdErrno,
  PAYLOAD_LENGTH_PORTABLE,
  STRING_LENGTH_MAX,
} from "../../protocol/numbers.ts";
import type { Check } from "../check.ts";
import {
  contentsOf,
  dataOf,
  decodeErrorChunk,
  demandErrno,
  demandInside,
  errnoOf,
  isErrorChunk,
} from "../replies.ts";
import type { Chunk, Reply } from "../session.ts";
import { isText } from "../text.ts";
import { demand, demandEqual, notApplicable } from "../violation.ts";
import { readPastEnd } from "../structured-reads.ts";
import { layMixed } from "../work-place.ts";
import { demandReads } from "../reads.ts";

/** Demands that content of a read that failed lies within the request and the export, and comes before errors of its place. */
function demandContentBeforeErrors({ request, chunks, ...reply }: Reply, size: bigint): void {
  const end = request.offset + request.length;
  const failedAt: bigint[] = [];
  for (const chunk of chunks) {
    if (chunk.type === ChunkType.errorOffset) {
      const at = decodeErrorChunk(chunk).offset;
      demand(at !== null && at >= request.offset && at < end, `an error chunk is about byte ${at}`);
      failedAt.push(at);
    }
    for (const content of contentsOf({ ...reply, request, chunks: [chunk] })) {
      const { offset, length } = content;
      const text = `a content chunk (${offset}, ${length} bytes) of a read that failed`;
      demandInside(content, request);
      demand(offset < size, `${text} lies behind the end of the export`);
      const late = failedAt.find((at) => at >= offset && at < offset + length);
      demand(late === undefined, `${text} comes after the error about byte ${late}`);
    }
  }
}

/** Bytes of a chunk whose number the server chooses. */
function variableLength({ type, payload }: Chunk): number {
  const fixed = FIXED_LENGTHS.get(type) ?? 0;
  return Math.max(0, payload.length - fixed);
}

const FIXED_LENGTHS: ReadonlyMap<number, number> = new Map([
  [ChunkType.offsetData, 8],
  [ChunkType.offsetHole, 12],
  [ChunkType.error, 6],
  [ChunkType.errorOffset, 14],
]);

/** Errors, holes and unfragmented reads with structured replies. */
export const structuredPartsChecks: readonly Check[] = [
  {
    name: "structured/error-chunk-valid",
    level: "must",
    section: "Structured reply types",
    sentence: "32 bits: error (MUST be nonzero) 16 bits: message length (no more than header *length* - 6)",
    needs: ["export", "structured"],
    async run(bench) {
      const session = await bench.enter({ style: "structured" });
      const errors = (await readPastEnd(bench, session)).chunks.filter(isErrorChunk);
      demand(errors.length > 0, "a read past the end has no error chunk");
      for (const chunk of errors)
        demand(decodeErrorChunk(chunk).errno !== 0, "an error chunk has the error 0");
    },
  },
  {
    name: "structured/error-text-is-a-string",
    level: "must",
    section: "Structured reply types",
    sentence: "Note that *message length* MUST NOT exceed the 4096 bytes string length limit.",
    needs: ["export", "structured"],
    async run(bench) {
      const session = await bench.enter({ style: "structured" });
      for (const chunk of (await readPastEnd(bench, session)).chunks.filter(isErrorChunk)) {
        const { message } = decodeErrorChunk(chunk);
        demand(message.length <= STRING_LENGTH_MAX, `an error's text has ${message.length} bytes`);
        demand(isText(message), `an error's text is no string: ${message.toString("hex")}`);
      }
    },
  },
  {
    name: "structured/one-error-chunk",
    level: "should",
    section: "Structured reply types",
    sentence: "This type SHOULD NOT be used more than once in a structured reply.",
    needs: ["export", "structured"],
    async run(bench) {
      const session = await bench.enter({ style: "structured" });
      const { chunks } = await readPastEnd(bench, session);
      const count = chunks.filter(({ type }) => type === ChunkType.error).length;
      demand(count <= 1, `${count} error chunks without offset came for one read`);
    },
  },
  {
    name: "structured/failed-read-has-an-error-after-content",
    level: "must",
    section: "Request types",
    sentence:
      "The server MUST include an error chunk as one of the subsequent chunks … MUST ensure that the content chunk is sent first if a content and error chunk cover the same offset.",
    needs: ["export", "structured"],
    async run(bench) {
      const session = await bench.enter({ style: "structured" });
      const { size, unit } = bench;
      const all = size - (size % unit);
      for (const offset of [all, Math.max(0, all - unit)]) {
        const reply = await session.ask({ command: Command.read, offset, length: 3 * unit });
        demandErrno(reply, [], "a read past the end");
        demandContentBeforeErrors(reply, BigInt(size));
      }
    },
  },
  {
    name: "structured/chunks-within-maximum-payload",
    level: "must",
    section: "Structured reply types",
    sentence:
      "A server MUST NOT send a chunk where any variable-length portion of the chunk is larger than any advertised maximum payload size",
    needs: ["export", "structured"],
    async run(bench) {
      const session = await bench.enter({ style: "structured" });
      const most =
        session.facts.blockSizes?.payloadMax ?? notApplicable("the server tells no maximum payload");
      const { size, unit } = bench;
      const all = Math.min(size - (size % unit), PAYLOAD_LENGTH_PORTABLE);
      const length = Math.min(all, 2 * (most - (most % unit) + unit));
      if (length <= most) notApplicable("the maximum payload is longer than any read of the suite");
      const { chunks } = await session.ask({ command: Command.read, offset: 0, length });
      for (const chunk of chunks) {
        const variable = variableLength(chunk);
        demand(variable <= most, `a chunk has ${variable} bytes, and the maximum payload is ${most}`);
      }
    },
  },
  {
    name: "structured/mixed-data-reads-back",
    level: "must",
    section: "Request types",
    sentence:
      "the server MUST send enough data chunks to cover the entire region described by the offset and length of the client's request",
    needs: ["write", "structured"],
    room: 393_216,
    async run(bench) {
      const session = await bench.enter({ style: "structured" });
      const { offset, data } = await layMixed(bench, session);
      const reply = await session.ask({ command: Command.read, offset, length: data.length });
      demand(dataOf(reply).equals(data), "zeroes around data read back as something else");
    },
  },
  {
    name: "structured/df-one-content-chunk",
    level: "must",
    section: "Request types",
    sentence: "If this flag is set, the server MUST send at most one content chunk",
    needs: ["export", "structured", "df"],
    async run(bench) {
      const session = await bench.enter({ style: "structured" });
      const length = Math.min(65_536, bench.size - (bench.size % bench.unit));
      const reply = await session.ask({ command: Command.read, flags: CommandFlag.df, offset: 0, length });
      demandEqual(contentsOf(reply).length, 1, "content chunks of an unfragmented read");
    },
  },
  {
    name: "structured/df-64-KiB-works",
    level: "must",
    section: "Request types",
    sentence:
      "the server MUST support unfragmented reads in which the client's request length does not exceed 65,536 bytes",
    needs: ["export", "structured", "df"],
    async run(bench) {
      const session = await bench.enter({ style: "structured" });
      const length = Math.min(65_536, bench.size - (bench.size % bench.unit));
      dataOf(await session.ask({ command: Command.read, flags: CommandFlag.df, offset: 0, length }));
    },
  },
  {
    name: "structured/df-zeroes-are-data-beside-data",
    level: "must",
    section: "Request types",
    sentence:
      "If the area being read contains both data and a hole, the server MUST use `NBD_REPLY_TYPE_OFFSET_DATA` with the zeroes explicitly present.",
    needs: ["write", "structured", "df"],
    room: 393_216,
    async run(bench) {
      if (bench.unit > 32_768) notApplicable("what has to be read unfragmented is a block");
      const session = await bench.enter({ style: "structured" });
      const { offset, data } = await layMixed(bench, session);
      const [at, length] = [offset + 131_072 - 32_768, 65_536];
      const reply = await session.ask({ command: Command.read, flags: CommandFlag.df, offset: at, length });
      demandEqual(contentsOf(reply).length, 1, "content chunks of an unfragmented read over a hole and data");
      demand(
        dataOf(reply).equals(data.subarray(98_304, 98_304 + length)),
        "an unfragmented read brings other data",
      );
    },
  },
  {
    name: "structured/df-too-long-overflow-or-data",
    level: "must",
    section: "Request types",
    sentence:
      "A server MAY reject a client's request with the error `NBD_EOVERFLOW` if the length is too large to send without fragmentation, in which case it MUST NOT send a content chunk",
    needs: ["export", "structured", "df"],
    async run(bench) {
      const session = await bench.enter({ style: "structured" });
      const length = Math.min(4_194_304, bench.payloadMax, bench.size);
      const reply = await session.ask({
        command: Command.read,
        flags: CommandFlag.df,
        offset: 0,
        length: length - (length % bench.unit),
      });
      const errno = errnoOf(reply);
      if (errno === 0) return void dataOf(reply);
      demandEqual(errno, NbdErrno.EOVERFLOW, "the error of a long unfragmented read");
      demandEqual(contentsOf(reply).length, 0, "content chunks of an unfragmented read that was refused");
    },
  },
  {
    name: "structured/df-on-write-refused",
    level: "should",
    section: "Error values",
    sentence:
      "It also SHOULD return `NBD_EINVAL` if it receives a request with a flag not explicitly documented as applicable to the given request.",
    needs: ["write", "structured"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter({ style: "structured" });
      const { offset } = bench.scratch;
      const payload = Buffer.alloc(bench.unit);
      const reply = await session.ask({ command: Command.write, flags: CommandFlag.df, offset, payload });
      demandErrno(reply, [NbdErrno.EINVAL], "a write with the flag DF");
      await demandReads(bench, session, offset);
    },
  },
];
