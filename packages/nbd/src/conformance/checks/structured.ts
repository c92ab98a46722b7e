import {
  ChunkFlag,
  ChunkType,
  Command,
  OptionReply,
  OptionType,
  TransmissionFlag,
} from "../../protocol/numbers.ts";
import type { Bench } from "../bench.ts";
import type { Check } from "../check.ts";
import { demandAck, demandError } from "../haggling.ts";
import {
  contentsInOrder,
  contentsOf,
  dataOf,
  demandBehind,
  demandErrno,
  demandInside,
  errnoOf,
} from "../replies.ts";
import type { Chunk, Reply, Session } from "../session.ts";
import { demand, demandEqual, notApplicable } from "../violation.ts";
import { readPastEnd } from "../structured-reads.ts";

/** Reads of several places and lengths, the last stretch of the export among them. */
async function someReads(bench: Bench, session: Session): Promise<Reply[]> {
  const { size, unit } = bench;
  const all = size - (size % unit);
  const long = Math.min(1_048_576, bench.payloadMax - (bench.payloadMax % unit), all);
  const places = [
    { offset: 0, length: Math.min(unit, all) },
    { offset: 0, length: long },
    { offset: all - long, length: long },
    { offset: all - Math.min(unit, all), length: Math.min(unit, all) },
  ];
  const replies: Reply[] = [];
  for (const place of places) replies.push(await session.ask({ command: Command.read, ...place }));
  return replies;
}

/** The same with structured replies. */
async function structuredReads(bench: Bench): Promise<Reply[]> {
  return someReads(bench, await bench.enter({ style: "structured" }));
}

async function chunksOfReads(bench: Bench): Promise<readonly Chunk[]> {
  return (await structuredReads(bench)).flatMap(({ chunks }) => chunks);
}

/** Structured replies. */
export const structuredChecks: readonly Check[] = [
  {
    name: "structured/acked-or-unsupported",
    level: "must",
    section: "Option types",
    sentence: "The server replies with the following, or with an error permitted elsewhere in this document",
    needs: ["plain"],
    async run(bench) {
      const answer = await (await bench.haggle()).ask(OptionType.structuredReply);
      if (!answer.isAck)
        demandError(
          answer,
          [OptionReply.errorUnsupported, OptionReply.errorPolicy, OptionReply.errorPlatform],
          "STRUCTURED_REPLY",
        );
    },
  },
  {
    name: "structured/with-data-invalid",
    level: "should",
    section: "Option types",
    sentence:
      "The client MUST NOT send any additional data with the option, and the server SHOULD reject a request that includes data with `NBD_REP_ERR_INVALID`.",
    needs: ["structured"],
    async run(bench) {
      const haggling = await bench.haggle();
      demandError(
        await haggling.ask(OptionType.structuredReply, Buffer.from([1])),
        [OptionReply.errorInvalid],
        "STRUCTURED_REPLY with a byte of data",
      );
      demandAck(await haggling.ask(OptionType.structuredReply), "STRUCTURED_REPLY after it");
    },
  },
  {
    name: "structured/without-it-simple-replies-only",
    level: "must",
    section: "Simple reply message",
    sentence:
      "The simple reply message MUST be sent by the server in response to all requests if structured replies have not been negotiated using `NBD_OPT_STRUCTURED_REPLY`.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const replies = [...(await someReads(bench, session)), await readPastEnd(bench, session)];
      replies.push(await session.ask({ command: Command.blockStatus, offset: 0, length: bench.unit }));
      for (const { simpleError } of replies) demand(simpleError !== null, "a reply is structured");
    },
  },
  {
    name: "structured/read-uses-chunks",
    level: "must",
    section: "Structured reply chunk message",
    sentence:
      "if structured replies are negotiated, the server MUST use a structured reply for any response with a payload, and MUST NOT use a simple reply for `NBD_CMD_READ`",
    needs: ["export", "structured"],
    async run(bench) {
      for (const { chunks } of await structuredReads(bench))
        demand(chunks.length > 0, "a reply to a read has no chunk");
    },
  },
  {
    name: "structured/failed-read-uses-chunks",
    level: "must",
    section: "Structured reply chunk message",
    sentence:
      "MUST NOT use a simple reply for `NBD_CMD_READ` (even for the case of an early `NBD_EINVAL` due to bad flags)",
    needs: ["export", "structured"],
    async run(bench) {
      const session = await bench.enter({ style: "structured" });
      demandErrno(await readPastEnd(bench, session), [], "a read past the end");
      const { unit } = bench;
      const flagged = await session.ask({ command: Command.read, flags: 0x4000, offset: 0, length: unit });
      demand(flagged.simpleError === null, "a read with a wrong flag got a simple reply");
    },
  },
  {
    name: "structured/last-chunk-is-last",
    level: "must",
    section: "Structured reply chunk message",
    sentence:
      "the chunks MAY be sent in any order, except that the chunk with the flag `NBD_REPLY_FLAG_DONE` MUST be sent last",
    needs: ["export", "structured"],
    async run(bench) {
      const session = await bench.enter({ style: "structured" });
      await someReads(bench, session);
      // A chunk of an earlier reply that still came would have a cookie that nobody waits for.
      await session.ask({ command: Command.read, offset: 0, length: bench.unit });
    },
  },
  {
    name: "structured/content-covers-request",
    level: "must",
    section: "Request types",
    sentence:
      "When no error is detected, the server MUST send enough data chunks to cover the entire region described by the offset and length of the client's request.",
    needs: ["export", "structured"],
    async run(bench) {
      for (const reply of await structuredReads(bench)) {
        demandEqual(errnoOf(reply), 0, "the error of a read");
        const sum = contentsOf(reply).reduce((total, { length }) => total + length, 0n);
        demandEqual(sum, reply.request.length, "bytes that the content chunks of a read describe");
      }
    },
  },
  {
    name: "structured/content-inside-request",
    level: "must",
    section: "Structured reply types",
    sentence: "The data MUST lie within the bounds of the original offset and length of the client's request",
    needs: ["export", "structured"],
    async run(bench) {
      for (const reply of await structuredReads(bench))
        for (const content of contentsOf(reply)) demandInside(content, reply.request);
    },
  },
  {
    name: "structured/content-does-not-overlap",
    level: "must",
    section: "Structured reply types",
    sentence:
      "MUST NOT overlap with the bounds of any earlier content chunk or error chunk in the same reply",
    needs: ["export", "structured"],
    async run(bench) {
      for (const reply of await structuredReads(bench)) {
        let end = 0n;
        for (const content of contentsInOrder(reply)) end = demandBehind(content, end);
      }
    },
  },
  {
    name: "structured/data-chunk-has-data",
    level: "must",
    section: "Structured reply types",
    sentence: "This chunk type is in the content chunk category. *length* MUST be at least 9.",
    needs: ["export", "structured"],
    async run(bench) {
      for (const { type, payload } of await chunksOfReads(bench))
        if (type === ChunkType.offsetData)
          demand(payload.length >= 9, `a data chunk has ${payload.length} bytes`);
    },
  },
  {
    name: "structured/hole-chunk-valid",
    level: "must",
    section: "Structured reply types",
    sentence: "32 bits: hole size (unsigned, MUST be nonzero)",
    needs: ["export", "structured"],
    async run(bench) {
      const holes = (await chunksOfReads(bench)).filter(({ type }) => type === ChunkType.offsetHole);
      if (holes.length === 0) notApplicable("the server sent no hole");
      for (const { payload } of holes) {
        demandEqual(payload.length, 12, "the length of a hole chunk");
        demand(payload.readUInt32BE(8) !== 0, "a hole has no bytes");
      }
    },
  },
  {
    name: "structured/none-chunk-empty-and-last",
    level: "must",
    section: "Structured reply types",
    sentence:
      "*length* MUST be 0 (and the payload field omitted). This chunk type MUST always be used with the `NBD_REPLY_FLAG_DONE` bit set",
    needs: ["export", "structured"],
    async run(bench) {
      const session = await bench.enter({ style: "structured" });
      const replies = [...(await someReads(bench, session)), await readPastEnd(bench, session)];
      if ((session.facts.flags & TransmissionFlag.sendFlush) !== 0)
        replies.push(await session.ask({ command: Command.flush }));
      for (const { type, payload, flags } of replies.flatMap(({ chunks }) => chunks)) {
        if (type !== ChunkType.none) continue;
        demandEqual(payload.length, 0, "the length of a chunk of type NONE");
        demand((flags & ChunkFlag.done) !== 0, "a chunk of type NONE is not marked as the last");
      }
    },
  },
  {
    name: "structured/no-unknown-chunk-flags",
    level: "must",
    section: "Structured reply flags",
    sentence:
      "The server MUST NOT set any other flags without first negotiating the extension with the client",
    needs: ["export", "structured"],
    async run(bench) {
      for (const { flags } of await chunksOfReads(bench))
        demand((flags & ~ChunkFlag.done) === 0, `a chunk has the flags 0x${flags.toString(16)}`);
    },
  },
  {
    name: "structured/read-chunk-types-known",
    level: "must",
    section: "Structured reply types",
    sentence:
      "If the client receives an unknown or unexpected type, other than an *error chunk*, it MUST initiate a hard disconnect.",
    needs: ["export", "structured"],
    async run(bench) {
      for (const { type } of await chunksOfReads(bench))
        demand(
          type === ChunkType.none || type === ChunkType.offsetData || type === ChunkType.offsetHole,
          `a reply to a read has a chunk of type ${type}`,
        );
    },
  },
  {
    name: "structured/chunks-aligned-to-512",
    level: "should",
    section: "Request types",
    sentence:
      "the server SHOULD use chunks with lengths and offsets as an integer multiple of 512 bytes, where possible",
    needs: ["export", "structured"],
    async run(bench) {
      for (const { offset, length } of (await structuredReads(bench)).flatMap(contentsOf)) {
        demandEqual(offset % 512n, 0n, `the rest of a chunk's offset ${offset} over 512`);
        demandEqual(length % 512n, 0n, `the rest of a chunk's length ${length} over 512`);
      }
    },
  },
  {
    name: "structured/same-data-as-simple",
    level: "must",
    section: "Request types",
    sentence:
      "It represents that the contents of *hole size* bytes, starting at the absolute *offset* from the start of the export, read as all zeroes.",
    needs: ["export", "structured"],
    async run(bench) {
      const simple = (await someReads(bench, await bench.enter())).map((reply) => dataOf(reply));
      await bench.end();
      const structured = await structuredReads(bench);
      for (const [index, reply] of structured.entries())
        demand(dataOf(reply).equals(simple[index]!), "structured and simple replies bring different data");
    },
  },
];
