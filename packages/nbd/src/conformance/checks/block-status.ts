import { AllocationFlag, Command, CommandFlag, OptionType } from "../../protocol/numbers.ts";
import type { Bench } from "../bench.ts";
import type { Check } from "../check.ts";
import { demandAck, encodeQueries } from "../haggling.ts";
import { dataOf, demandSuccess, statusOf } from "../replies.ts";
import type { StatusExtent } from "../replies.ts";
import type { Session } from "../session.ts";
import { ALLOCATION } from "../survey.ts";
import { demand, demandEqual, notApplicable } from "../violation.ts";
import { layMixed, MIXED_PART, pattern } from "../work-place.ts";

const { blockStatus, read, write } = Command;

const [HOLE, ZERO] = [BigInt(AllocationFlag.hole), BigInt(AllocationFlag.zero)];

/** Requests of one walk. */
const WALK_MAX = 2000;

function enter(bench: Bench): Promise<Session> {
  return bench.enter({ style: "structured", contexts: [ALLOCATION] });
}

/** The extents of the allocation context. */
async function extentsAt(
  session: Session,
  {
    offset,
    length,
    flags = 0,
  }: { readonly offset: number; readonly length: number; readonly flags?: number },
): Promise<readonly StatusExtent[]> {
  const reply = await session.ask({ command: blockStatus, flags, offset, length });
  const found = statusOf(reply);
  const id = session.contexts.get(ALLOCATION);
  demand(id !== undefined, "base:allocation was not selected");
  const extents = found.get(id);
  demand(
    extents !== undefined,
    `no status came for the context ${id}, but for ${[...found.keys()].join(", ") || "none"}`,
  );
  return extents;
}

/** Lengths that are asked for, from a block to much of the export. */
function lengthsOf(bench: Bench): number[] {
  const all = bench.size - (bench.size % bench.unit);
  return [bench.unit, 65_536, 1_048_576, 67_108_864].map((length) => Math.min(length, all));
}

/** BLOCK_STATUS with `base:allocation`. */
export const blockStatusChecks: readonly Check[] = [
  {
    name: "block-status/one-chunk-per-context",
    level: "must",
    section: "Structured reply types",
    sentence:
      "A successful block status request MUST have exactly one status chunk per negotiated metadata context ID.",
    needs: ["meta"],
    async run(bench) {
      const haggling = await bench.haggle();
      demandAck(await haggling.ask(OptionType.structuredReply), "STRUCTURED_REPLY");
      const all = await haggling.ask(OptionType.listMetaContext, encodeQueries(bench.exportName, []));
      const names = all.replies.map(({ data }) => data.toString("utf8", 4));
      await bench.end();
      const session = await bench.enter({ style: "structured", contexts: [ALLOCATION, ...names] });
      const reply = await session.ask({ command: blockStatus, offset: 0, length: lengthsOf(bench)[1]! });
      const ids = [...statusOf(reply).keys()].toSorted((a, b) => a - b);
      const wanted = [...session.contexts.values()].toSorted((a, b) => a - b);
      demandEqual(ids.join(), wanted.join(), "the ids of contexts that were answered");
    },
  },
  {
    name: "block-status/extents-not-empty",
    level: "must",
    section: "Structured reply types",
    sentence: "32 bits, length of the extent to which the status below applies (unsigned, MUST be nonzero)",
    needs: ["meta"],
    async run(bench) {
      const session = await enter(bench);
      for (const length of lengthsOf(bench))
        for (const extent of await extentsAt(session, { offset: 0, length }))
          demand(extent.length > 0n, "an extent has no bytes");
    },
  },
  {
    name: "block-status/all-but-last-within-request",
    level: "must",
    section: "Structured reply types",
    sentence:
      "if … the server replies with N extents, then the sum of the *length* fields of the first N-1 extents (if any) MUST be less than the requested length",
    needs: ["meta"],
    async run(bench) {
      const session = await enter(bench);
      for (const length of lengthsOf(bench)) {
        const extents = await extentsAt(session, { offset: 0, length });
        const sum = extents.slice(0, -1).reduce((total, extent) => total + extent.length, 0n);
        demand(
          extents.length === 1 || sum < BigInt(length),
          `all extents but the last have ${sum} of ${length} bytes`,
        );
      }
    },
  },
  {
    name: "block-status/ends-within-export",
    level: "must",
    section: "Request types",
    sentence:
      "The list of block status descriptors within the `NBD_REPLY_TYPE_BLOCK_STATUS` chunk represent consecutive portions of the export starting from specified *offset*.",
    needs: ["meta"],
    async run(bench) {
      const session = await enter(bench);
      const all = bench.size - (bench.size % bench.unit);
      for (const offset of [0, Math.floor(all / 2 / bench.unit) * bench.unit, all - bench.unit]) {
        const extents = await extentsAt(session, { offset, length: bench.unit });
        const end = extents.reduce((total, { length }) => total + length, BigInt(offset));
        demand(
          end <= BigInt(bench.size),
          `extents from ${offset} on reach to ${end}, past the end at ${bench.size}`,
        );
      }
    },
  },
  {
    name: "block-status/req-one-single",
    level: "must",
    section: "Structured reply types",
    sentence:
      "If the client used the `NBD_CMD_FLAG_REQ_ONE` flag in the request, then every reply chunk MUST contain exactly one descriptor",
    needs: ["meta"],
    async run(bench) {
      const session = await enter(bench);
      for (const length of lengthsOf(bench))
        demandEqual(
          (await extentsAt(session, { offset: 0, length, flags: CommandFlag.reqOne })).length,
          1,
          "extents of a request with REQ_ONE",
        );
    },
  },
  {
    name: "block-status/req-one-within-request",
    level: "must",
    section: "Structured reply types",
    sentence: "that descriptor MUST NOT exceed the *length* of the original request",
    needs: ["meta"],
    async run(bench) {
      const session = await enter(bench);
      for (const length of lengthsOf(bench)) {
        const [extent] = await extentsAt(session, { offset: 0, length, flags: CommandFlag.reqOne });
        demand(extent!.length <= BigInt(length), `an extent of ${extent!.length} bytes came for ${length}`);
      }
    },
  },
  {
    name: "block-status/zero-extents-read-as-zero",
    level: "must",
    section: "`base:allocation` metadata context",
    sentence: "`NBD_STATE_ZERO` (bit 1): if set, the block contents read as all zeroes",
    needs: ["meta"],
    async run(bench) {
      const session = await enter(bench);
      let offset = 0;
      const end = Math.min(bench.size - (bench.size % bench.unit), 16_777_216);
      while (offset < end) {
        const [extent] = await extentsAt(session, { offset, length: end - offset });
        const length = Math.min(Number(extent!.length), end - offset, bench.payloadMax);
        if ((extent!.flags & ZERO) !== 0n) {
          const data = dataOf(await session.ask({ command: read, offset, length }));
          demand(
            data.every((byte) => byte === 0),
            `an extent at ${offset} is said to be zeroes, and is not`,
          );
        }
        offset += length;
      }
    },
  },
  {
    name: "block-status/written-is-not-zero",
    level: "must",
    section: "`base:allocation` metadata context",
    sentence:
      "`NBD_STATE_ZERO` (bit 1): if set, the block contents read as all zeroes; if clear, the block contents are not known.",
    needs: ["meta", "write"],
    room: 393_216,
    async run(bench) {
      const session = await enter(bench);
      const offset = (await layMixed(bench, session)).offset + MIXED_PART;
      const payload = pattern(MIXED_PART, 18);
      demandSuccess(await session.ask({ command: write, offset, payload }));
      let left = BigInt(MIXED_PART);
      for (const { length, flags } of await extentsAt(session, { offset, length: MIXED_PART })) {
        if (left <= 0n) break;
        demand((flags & ZERO) === 0n, "what was just written is said to be zeroes");
        left -= length;
      }
    },
  },
  {
    name: "block-status/written-is-no-hole",
    level: "should",
    section: "`base:allocation` metadata context",
    sentence:
      "then writing to an extent which has `NBD_STATE_HOLE` clear MUST NOT fail with `NBD_ENOSPC` unless for reasons specified in the definition of another context",
    needs: ["meta", "write"],
    room: 393_216,
    async run(bench) {
      const session = await enter(bench);
      const { offset } = bench.scratch;
      demandSuccess(await session.ask({ command: write, offset, payload: pattern(131_072, 19) }));
      const [extent] = await extentsAt(session, { offset, length: 131_072 });
      demand((extent!.flags & HOLE) === 0n, "what was just written is said to be a hole");
      demandSuccess(
        await session.ask({ command: write, offset, payload: pattern(131_072, 20) }),
        "writing there again",
      );
    },
  },
  {
    name: "block-status/reserved-flags-clear",
    level: "should",
    section: "`base:allocation` metadata context",
    sentence:
      "For the `base:allocation` context, the remainder of the flags field is reserved. Servers SHOULD set it to all-zero; clients MUST ignore unknown flags.",
    needs: ["meta"],
    async run(bench) {
      const session = await enter(bench);
      for (const { flags } of await extentsAt(session, { offset: 0, length: lengthsOf(bench)[3]! }))
        demand((flags & ~(HOLE | ZERO)) === 0n, `an extent has the flags ${flags}`);
    },
  },
  {
    name: "block-status/walk-reaches-the-end",
    level: "must",
    section: "Request types",
    sentence:
      "However the server MUST return at least one status descriptor, and since each status descriptor has a non-zero length, a client can always make progress on a successful return.",
    needs: ["meta"],
    async run(bench) {
      const session = await enter(bench);
      const end = bench.size - (bench.size % bench.unit);
      let offset = 0;
      for (let times = 0; offset < end; times++) {
        if (times === WALK_MAX) notApplicable(`the export has more extents than ${WALK_MAX} answers tell`);
        const length = Math.min(end - offset, 1_073_741_824);
        for (const extent of await extentsAt(session, { offset, length })) offset += Number(extent.length);
      }
    },
  },
  {
    name: "block-status/aligned-to-minimum",
    level: "should",
    section: "Request types",
    sentence:
      "The server SHOULD use descriptor lengths that are an integer multiple of any advertised minimum block size, with an obvious exception at the end of the image if the image size itself is unaligned.",
    needs: ["meta"],
    async run(bench) {
      const session = await enter(bench);
      const minimum = BigInt(bench.minimum);
      let at = 0n;
      for (const { length } of await extentsAt(session, { offset: 0, length: lengthsOf(bench)[3]! })) {
        at += length;
        demand(
          length % minimum === 0n || at >= BigInt(bench.size),
          `an extent has ${length} bytes, with blocks of ${minimum}`,
        );
      }
    },
  },
  {
    name: "block-status/neighbours-differ",
    level: "should",
    section: "Request types",
    sentence:
      "The server SHOULD use different *status* values between consecutive descriptors where feasible",
    needs: ["meta"],
    async run(bench) {
      const session = await enter(bench);
      const extents = await extentsAt(session, { offset: 0, length: lengthsOf(bench)[3]! });
      for (const [index, { flags }] of extents.entries())
        demand(
          index === 0 || extents[index - 1]!.flags !== flags,
          "two extents beside one another have the same status",
        );
    },
  },
  {
    name: "block-status/within-2^20-extents",
    level: "should",
    section: "Structured reply types",
    sentence: "Servers SHOULD NOT send more than 2^20 extents in a single reply chunk",
    needs: ["meta"],
    async run(bench) {
      const session = await enter(bench);
      const length = Math.min(0xffff_0000, bench.size);
      const extents = await extentsAt(session, { offset: 0, length: length - (length % bench.unit) });
      demand(extents.length <= 1_048_576, `${extents.length} extents came in one chunk`);
    },
  },
];
