import {
  CHUNK_ERROR_BIT,
  Command,
  CommandFlag,
  EXTENDED_REQUEST_MAGIC,
  NbdErrno,
  OptionReply,
  OptionType,
  TransmissionFlag,
} from "../../protocol/numbers.ts";
import type { Bench } from "../bench.ts";
import { enterTransmission } from "../bench.ts";
import type { Check } from "../check.ts";
import { exportNameLength } from "../export-facts.ts";
import { demandAck, demandError, encodeInfo } from "../haggling.ts";
import { contentsOf, dataOf, demandErrno, demandSuccess } from "../replies.ts";
import type { Reply, Session } from "../session.ts";
import { demand, demandEqual, notApplicable } from "../violation.ts";
import { pattern } from "../work-place.ts";
import { demandReads } from "../reads.ts";

const { blockStatus, cache, flush, read, trim, write, writeZeroes } = Command;

const SECTION = "extension-ext-header";

function enter(bench: Bench): Promise<Session> {
  return bench.enter({ style: "extended" });
}

/** A head that says what the session would not say. */
function extendedHead(request: {
  readonly command: number;
  readonly cookie: bigint;
  readonly offset: number;
  readonly length: number;
}): Buffer {
  const head = Buffer.alloc(32);
  head.writeUInt32BE(EXTENDED_REQUEST_MAGIC, 0);
  head.writeUInt16BE(request.command, 6);
  head.writeBigUInt64BE(request.cookie, 8);
  head.writeBigUInt64BE(BigInt(request.offset), 16);
  head.writeBigUInt64BE(BigInt(request.length), 24);
  return head;
}

/** Replies to one request of each kind. */
async function repliesOfAllKinds(bench: Bench, session: Session): Promise<Reply[]> {
  const all = bench.size - (bench.size % bench.unit);
  const half = Math.floor(all / 2 / bench.unit) * bench.unit;
  const length = bench.unit;
  const replies = [
    await session.ask({ command: read, offset: half, length }),
    await session.ask({ command: read, offset: all, length }),
    await session.ask({ command: 99, offset: 512, length: 0 }),
    await session.ask({ command: blockStatus, offset: 0, length }),
  ];
  if ((session.facts.flags & TransmissionFlag.sendFlush) !== 0)
    replies.push(await session.ask({ command: flush }));
  if ((session.facts.flags & TransmissionFlag.sendCache) !== 0)
    replies.push(await session.ask({ command: cache, offset: half, length }));
  return replies;
}

/** EXTENDED_HEADERS: an extension, in a branch of the document. */
export const extendedChecks: readonly Check[] = [
  {
    name: "extended/acked-or-unsupported",
    level: "must",
    section: SECTION,
    sentence: "The server replies with the following, or with an error permitted elsewhere in this document",
    needs: ["plain"],
    async run(bench) {
      const answer = await (await bench.haggle()).ask(OptionType.extendedHeaders);
      if (!answer.isAck)
        demandError(
          answer,
          [OptionReply.errorUnsupported, OptionReply.errorPolicy, OptionReply.errorPlatform],
          "EXTENDED_HEADERS",
        );
    },
  },
  {
    name: "extended/with-data-invalid",
    level: "should",
    section: SECTION,
    sentence:
      "The client MUST NOT send any additional data with the option, and the server SHOULD reject a request that includes data with `NBD_REP_ERR_INVALID`.",
    needs: ["extended"],
    async run(bench) {
      const haggling = await bench.haggle();
      demandError(
        await haggling.ask(OptionType.extendedHeaders, Buffer.from([1])),
        [OptionReply.errorInvalid],
        "EXTENDED_HEADERS with a byte of data",
      );
    },
  },
  {
    name: "extended/without-structured-works",
    level: "should",
    section: SECTION,
    sentence:
      "A client MAY request structured replies first, although a server SHOULD support this option even if structured replies are not negotiated.",
    needs: ["extended"],
    async run(bench) {
      const session = await enter(bench);
      await demandReads(bench, session);
    },
  },
  {
    name: "extended/wins-over-structured",
    level: "must",
    section: SECTION,
    sentence:
      "When successful, this option takes precedence over structured replies, and the server MUST also support `NBD_OPT_GO`.",
    needs: ["extended", "structured"],
    async run(bench) {
      const haggling = await bench.haggle();
      demandAck(await haggling.ask(OptionType.structuredReply), "STRUCTURED_REPLY");
      const session = await enterTransmission(haggling, { style: "extended", name: bench.exportName });
      await demandReads(bench, session);
    },
  },
  {
    name: "extended/structured-afterwards-refused",
    level: "must",
    section: SECTION,
    sentence:
      "`NBD_REP_ERR_EXT_HEADER_REQD`: The client has already successfully negotiated extended headers, which takes precedence over this option.",
    needs: ["extended", "structured"],
    async run(bench) {
      const haggling = await bench.haggle();
      demandAck(await haggling.ask(OptionType.extendedHeaders), "EXTENDED_HEADERS");
      demandError(
        await haggling.ask(OptionType.structuredReply),
        [OptionReply.errorExtendedHeadersRequired, OptionReply.errorInvalid],
        "STRUCTURED_REPLY after EXTENDED_HEADERS",
      );
    },
  },
  {
    name: "extended/go-not-unsupported",
    level: "must",
    section: SECTION,
    sentence:
      "if the server has acknowledged a client's request for `NBD_OPT_EXTENDED_HEADERS`, the server MUST NOT fail `NBD_OPT_GO` with `NBD_REP_ERR_UNSUP`",
    needs: ["extended"],
    async run(bench) {
      const haggling = await bench.haggle();
      demandAck(await haggling.ask(OptionType.extendedHeaders), "EXTENDED_HEADERS");
      const answer = await haggling.ask(OptionType.go, encodeInfo(bench.exportName));
      demand(answer.final.type !== OptionReply.errorUnsupported, "GO was answered with errorUnsupported");
    },
  },
  {
    name: "extended/export-name-not-in-compact-style",
    level: "should",
    section: SECTION,
    sentence:
      "Additionally, a client that has used `NBD_OPT_EXTENDED_HEADERS` to negotiate extended headers MUST NOT use this option.",
    needs: ["extended"],
    async run(bench) {
      const haggling = await bench.haggle(3);
      demandAck(await haggling.ask(OptionType.extendedHeaders), "EXTENDED_HEADERS");
      haggling.send(OptionType.exportName, Buffer.from(bench.exportName));
      const answer = await haggling.wire.takeUnlessEnded(
        exportNameLength(false),
        "the answer to EXPORT_NAME",
      );
      demand(answer === null, "EXPORT_NAME was accepted after EXTENDED_HEADERS");
    },
  },
  {
    name: "extended/replies-are-extended",
    level: "must",
    section: SECTION,
    sentence:
      "If extended headers are negotiated, all server replies MUST use an extended reply; the server MUST NOT use simple replies even when there is no payload.",
    needs: ["extended"],
    async run(bench) {
      await repliesOfAllKinds(bench, await enter(bench));
    },
  },
  {
    name: "extended/offset-echoed",
    level: "must",
    section: SECTION,
    sentence:
      "The extended reply has an additional field *offset* which MUST match the *offset* of the client's request",
    needs: ["extended"],
    async run(bench) {
      for (const { request, chunks } of await repliesOfAllKinds(bench, await enter(bench)))
        for (const chunk of chunks)
          demandEqual(chunk.offset ?? -1n, request.offset, "the offset in an extended reply");
    },
  },
  {
    name: "extended/read-covers-request",
    level: "must",
    section: SECTION,
    sentence:
      "If structured replies or extended headers are negotiated, then a read request MUST result in a reply with one or more structured chunks",
    needs: ["extended"],
    async run(bench) {
      const session = await enter(bench);
      const length = Math.min(1_048_576, bench.payloadMax, bench.size);
      dataOf(await session.ask({ command: read, offset: 0, length: length - (length % bench.unit) }));
    },
  },
  {
    name: "extended/write-reads-back",
    level: "must",
    section: SECTION,
    sentence: "The command `NBD_CMD_WRITE` MUST use the flag `NBD_CMD_FLAG_PAYLOAD_LEN` in this mode",
    needs: ["extended", "write"],
    room: 65_536,
    async run(bench) {
      const session = await enter(bench);
      const { offset } = bench.scratch;
      const payload = pattern(65_536, 14);
      demandSuccess(await session.ask({ command: write, offset, payload }));
      const there = dataOf(await session.ask({ command: read, offset, length: payload.length }));
      demand(there.equals(payload), "what was written with an extended head does not read back");
    },
  },
  {
    name: "extended/write-without-payload-flag-in-step",
    level: "should",
    section: SECTION,
    sentence:
      "With extended headers, the flag MUST be set for `NBD_CMD_WRITE` (as the write command always sends a payload of the bytes to be written)",
    needs: ["extended", "write"],
    room: 65_536,
    async run(bench) {
      const session = await enter(bench);
      const { offset } = bench.scratch;
      // Clients exist that leave it out. Refused or done: but what follows is the payload, or it is requests, not both.
      const inner = extendedHead({ command: 99, cookie: 9n, offset: 0, length: 0 });
      const payload = Buffer.alloc(bench.unit, inner);
      const head = extendedHead({ command: write, cookie: 7n, offset, length: bench.unit });
      const last = extendedHead({ command: read, cookie: 8n, offset, length: bench.unit });
      session.wire.send(Buffer.concat([head, payload, last]), "a write without the payload flag, and a read");
      let isDone = false;
      for (;;) {
        const reply = await session.wire.takeUnlessEnded(32, "an answer to a write without the payload flag");
        if (reply === null) return;
        const cookie = reply.readBigUInt64BE(8);
        await session.wire.take(Number(reply.readBigUInt64BE(24)), "the payload of a chunk");
        if (cookie === 7n) isDone = (reply.readUInt16BE(6) & CHUNK_ERROR_BIT) === 0;
        demand(cookie !== 9n || !isDone, "the payload of a write that was done was taken for requests, too");
        if (cookie === 8n && (reply.readUInt16BE(4) & 1) !== 0) return;
      }
    },
  },
  {
    name: "extended/payload-on-read-consumed-einval",
    level: "must",
    section: SECTION,
    sentence:
      "for other commands, the flag will trigger an `NBD_EINVAL` error unless the command documents an optional payload form for the command and the server has implemented that form",
    needs: ["extended"],
    async run(bench) {
      const session = await enter(bench);
      const payload = Buffer.alloc(4096, 0x21);
      for (const command of [read, flush, cache]) {
        const reply = await session.ask({ command, flags: CommandFlag.payloadLength, offset: 0, payload });
        demandErrno(reply, [NbdErrno.EINVAL], `the command ${command} with a payload`);
      }
      await demandReads(bench, session);
    },
  },
  {
    name: "extended/payload-on-trim-and-zeroes-consumed-einval",
    level: "must",
    section: SECTION,
    sentence:
      "for other commands, the flag will trigger an `NBD_EINVAL` error unless the command documents an optional payload form for the command and the server has implemented that form",
    needs: ["extended", "write"],
    room: 65_536,
    async run(bench) {
      const session = await enter(bench);
      const { offset } = bench.scratch;
      const payload = Buffer.alloc(Math.max(4096, bench.unit), 0x21);
      for (const command of [trim, writeZeroes]) {
        const reply = await session.ask({ command, flags: CommandFlag.payloadLength, offset, payload });
        demandErrno(reply, [NbdErrno.EINVAL], `the command ${command} with a payload`);
      }
      await demandReads(bench, session, offset);
    },
  },
  {
    name: "extended/refused-payload-consumed",
    level: "should",
    section: SECTION,
    sentence:
      "in all other cases, a server SHOULD gracefully consume *length* bytes of payload (even if it then replies with an `NBD_EINVAL` failure because the particular command was not expecting a payload), and proceed with the next client command",
    needs: ["extended"],
    async run(bench) {
      const session = await enter(bench);
      const payload = Buffer.alloc(65_536, 0x6e);
      demandErrno(
        await session.ask({ command: 99, flags: CommandFlag.payloadLength, payload }),
        [],
        "an unknown command with a payload",
      );
      await demandReads(bench, session);
    },
  },
  {
    name: "extended/huge-payload-closes",
    level: "should",
    section: SECTION,
    sentence:
      "A server SHOULD initiate hard disconnect if a client sets the `NBD_CMD_FLAG_PAYLOAD_LEN` flag and uses a *length* larger than a server's advertised or default maximum payload length",
    needs: ["extended", "write"],
    async run(bench) {
      if (bench.survey.simple?.blockSizes?.payloadMax === 0xffff_ffff)
        notApplicable("the maximum payload is 4 GiB");
      const session = await enter(bench);
      session.send({ command: write, offset: bench.scratch.offset, length: 1n << 40n });
      await session.wire.drain("after a write that says it has 2^40 bytes of payload");
    },
  },
  {
    name: "extended/64-bit-zeroes-do-not-disconnect",
    level: "should",
    section: SECTION,
    sentence:
      "the client MAY request an effect length larger than the maximum payload size; the server SHOULD NOT disconnect, but MAY reply with an `NBD_EOVERFLOW` or `NBD_EINVAL` error",
    needs: ["extended", "write", "zeroes"],
    async run(bench) {
      const session = await enter(bench);
      const { offset } = bench.scratch;
      const past = await session.ask({ command: writeZeroes, offset, length: 1n << 40n });
      demandErrno(past, [], "zeroes of 2^40 bytes, past the end,");
      await demandReads(bench, session, offset);
    },
  },
  {
    name: "extended/length-above-32-bits-not-cut",
    level: "must",
    section: SECTION,
    sentence: "Thus, only when *length* is used as an effect length will it utilize a full 64-bit value.",
    needs: ["extended"],
    async run(bench) {
      const session = await enter(bench);
      const length = (1n << 32n) + BigInt(bench.unit);
      if (BigInt(bench.size) >= length) notApplicable("the export is larger than 4 GiB");
      demandErrno(
        await session.ask({ command: read, offset: 0, length }),
        [],
        "a read of 2^32 bytes and a block",
      );
      await demandReads(bench, session);
    },
  },
  {
    name: "extended/df-one-content-chunk",
    level: "must",
    section: SECTION,
    sentence: "bit 7, `NBD_FLAG_SEND_DF`: do not fragment a structured or extended reply.",
    needs: ["extended"],
    async run(bench) {
      const session = await enter(bench);
      if ((session.facts.flags & TransmissionFlag.sendDf) === 0)
        notApplicable("the server does not offer DF");
      const length = Math.min(65_536, bench.size - (bench.size % bench.unit));
      const reply = await session.ask({ command: read, flags: CommandFlag.df, offset: 0, length });
      demandEqual(contentsOf(reply).length, 1, "content chunks of an unfragmented read");
    },
  },
  {
    name: "extended/compact-request-closes",
    level: "should",
    section: SECTION,
    sentence:
      "`NBD_REP_ACK`: Extended headers have been negotiated; the client MUST use the 32-byte extended request header",
    needs: ["extended"],
    async run(bench) {
      const session = await enter(bench);
      session.send({ command: read, magic: 0x2560_9513, offset: 0, length: bench.unit });
      const head = await session.wire.takeUnlessEnded(32, "an answer");
      demand(
        head === null || (head.readUInt16BE(6) & CHUNK_ERROR_BIT) !== 0,
        "a request with the compact magic number was obeyed",
      );
    },
  },
];
