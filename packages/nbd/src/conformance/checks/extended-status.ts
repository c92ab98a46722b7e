import { ChunkType, Command, CommandFlag, NbdErrno, TransmissionFlag } from "../../protocol/numbers.ts";
import type { Bench } from "../bench.ts";
import type { Check } from "../check.ts";
import { demandErrno, errnoOf, statusOf } from "../replies.ts";
import type { Reply, Session } from "../session.ts";
import { ALLOCATION } from "../survey.ts";
import { demand, demandEqual } from "../violation.ts";
import { demandReads } from "../reads.ts";

const { blockStatus } = Command;

const SECTION = "extension-ext-header";

function enter(bench: Bench): Promise<Session> {
  return bench.enter({ style: "extended" });
}

function enterWithStatus(bench: Bench): Promise<Session> {
  return bench.enter({ style: "extended", contexts: [ALLOCATION] });
}

/** Payload of the long form of block status. */
function idsPayload(length: bigint, ids: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 + 4 * ids.length);
  bytes.writeBigUInt64BE(length, 0);
  ids.forEach((id, index) => bytes.writeUInt32BE(id, 8 + 4 * index));
  return bytes;
}

function askStatus(session: Session, payload: Buffer): Promise<Reply> {
  return session.ask({ command: blockStatus, flags: CommandFlag.payloadLength, offset: 0, payload });
}

/** Demands that block status with a payload fails, and that the payload was taken. The payload is made for the id of the context. */
async function demandPayloadRefused(
  bench: Bench,
  payloadFor: (id: number) => Buffer,
  what: string,
): Promise<void> {
  const session = await enterWithStatus(bench);
  const payload = payloadFor(session.contexts.get(ALLOCATION)!);
  demandErrno(await askStatus(session, payload), [NbdErrno.EINVAL], `block status with ${what}`);
  await demandReads(bench, session);
}

/** BLOCK_STATUS with extended headers. */
export const extendedStatusChecks: readonly Check[] = [
  {
    name: "extended/status-chunks-are-extended",
    level: "must",
    section: SECTION,
    sentence:
      "Note that when extended headers are in use, the extended reply chunk MUST be used, regardless of whether the client's hinted effect length was less than 32 bits",
    needs: ["extended", "meta"],
    async run(bench) {
      const session = await enterWithStatus(bench);
      const { chunks } = await session.ask({ command: blockStatus, offset: 0, length: bench.unit });
      for (const { type } of chunks)
        demand(
          type === ChunkType.blockStatusExtended || type === 0,
          `a chunk of block status has the type ${type}`,
        );
    },
  },
  {
    name: "extended/status-descriptor-count",
    level: "must",
    section: SECTION,
    sentence:
      "The *descriptor count* field MUST correspond to the number of subsequent descriptors, such that the header *length* is equal to *descriptor count* * 16 + 8.",
    needs: ["extended", "meta"],
    async run(bench) {
      const session = await enterWithStatus(bench);
      const length = bench.size - (bench.size % bench.unit);
      for (const extents of statusOf(await session.ask({ command: blockStatus, offset: 0, length })).values())
        for (const extent of extents) demand(extent.length > 0n, "an extent has no bytes");
    },
  },
  {
    name: "extended/status-high-bits-zero",
    level: "must",
    section: SECTION,
    sentence:
      'For metadata contexts that only return a 32-bit status (including all contexts in the "base:" namespace), the most-significant 32 bits of *status* MUST be all zeroes.',
    needs: ["extended", "meta"],
    async run(bench) {
      const session = await enterWithStatus(bench);
      for (const extents of statusOf(
        await session.ask({ command: blockStatus, offset: 0, length: bench.unit }),
      ).values())
        for (const { flags } of extents) demand(flags >> 32n === 0n, `an extent has the status ${flags}`);
    },
  },
  {
    name: "extended/status-payload-flag-only-with-contexts",
    level: "should",
    section: SECTION,
    sentence:
      "SHOULD NOT advertise this bit in response to `NBD_OPT_GO` if the client does not negotiate metacontexts with `NBD_OPT_SET_META_CONTEXT`",
    needs: ["extended"],
    async run(bench) {
      const session = await enter(bench);
      demand(
        (session.facts.flags & TransmissionFlag.blockStatusPayload) === 0,
        `the flags are 0x${session.facts.flags.toString(16)} without contexts`,
      );
    },
  },
  {
    name: "extended/status-payload-filters",
    level: "must",
    section: SECTION,
    sentence:
      "it supports an alternative request form where the client sets `NBD_CMD_FLAG_PAYLOAD_LEN` in order to pass a payload that informs the server to limit its replies to the metacontext id(s) in the client's request payload",
    needs: ["extended", "meta", "statusPayload"],
    async run(bench) {
      const session = await enterWithStatus(bench);
      const id = session.contexts.get(ALLOCATION)!;
      const reply = await askStatus(session, idsPayload(BigInt(bench.unit), [id]));
      demandEqual([...statusOf(reply).keys()].join(), String(id), "the contexts that were answered");
    },
  },
  {
    name: "extended/status-payload-duplicate-id-einval",
    level: "must",
    section: SECTION,
    sentence:
      "If the server does not support the payload form, or detects duplicate or unknown metacontext ids in the client's payload, the server MUST gracefully consume the client's payload before failing with `NBD_EINVAL`.",
    needs: ["extended", "meta", "statusPayload"],
    run: (bench) =>
      demandPayloadRefused(bench, (id) => idsPayload(BigInt(bench.unit), [id, id]), "one id twice"),
  },
  {
    name: "extended/status-payload-unknown-id-einval",
    level: "must",
    section: SECTION,
    sentence:
      "detects duplicate or unknown metacontext ids in the client's payload, the server MUST gracefully consume the client's payload before failing with `NBD_EINVAL`",
    needs: ["extended", "meta", "statusPayload"],
    run: (bench) =>
      demandPayloadRefused(
        bench,
        (id) => idsPayload(BigInt(bench.unit), [(id + 12_345) >>> 0]),
        "an id that does not exist",
      ),
  },
  {
    name: "extended/status-payload-odd-length-einval",
    level: "must",
    section: SECTION,
    sentence:
      "The payload form MUST occupy 8 + n*4 bytes, where n is the number of metacontext ids the client is interested in",
    needs: ["extended", "meta", "statusPayload"],
    async run(bench) {
      for (const length of [5, 9])
        await demandPayloadRefused(bench, () => Buffer.alloc(length), `a payload of ${length} bytes`);
    },
  },
  {
    name: "extended/status-payload-not-offered-einval",
    level: "must",
    section: SECTION,
    sentence:
      "If the server does not support the payload form … the server MUST gracefully consume the client's payload before failing with `NBD_EINVAL`.",
    needs: ["extended"],
    async run(bench) {
      const session = await enter(bench);
      const reply = await askStatus(session, idsPayload(BigInt(bench.unit), [0]));
      demandEqual(
        errnoOf(reply),
        NbdErrno.EINVAL,
        "the error of block status with a payload and no contexts",
      );
      await demandReads(bench, session);
    },
  },
];
