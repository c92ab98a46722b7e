import { Command, CommandFlag, NbdErrno, TransmissionFlag } from "../../protocol/numbers.ts";
import type { Check } from "../check.ts";
import { dataOf, demandErrno, errnoName, errnoOf } from "../replies.ts";
import { demand, notApplicable } from "../violation.ts";
import { demandReads } from "../reads.ts";

const { read } = Command;

const KNOWN_ERRORS = new Set<number>([0, ...Object.values(NbdErrno)]);

/** READ, and what holds for requests of any kind. */
export const readChecks: readonly Check[] = [
  {
    name: "read/whole-export-readable",
    level: "must",
    section: "Request types",
    sentence: "A read request. Length and offset define the data to be read.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const { size, unit } = bench;
      const all = size - (size % bench.minimum);
      for (const part of [0, 0.25, 0.5, 0.75]) {
        const offset = Math.floor((all * part) / unit) * unit;
        dataOf(await session.ask({ command: read, offset, length: Math.min(unit, all - offset) }));
      }
      const last = Math.min(bench.minimum, all);
      dataOf(
        await session.ask({ command: read, offset: all - last, length: last }),
        "a read of the last block",
      );
    },
  },
  {
    name: "read/same-twice",
    level: "must",
    section: "Request types",
    sentence: "A read request. Length and offset define the data to be read.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const length = Math.min(262_144, bench.payloadMax, bench.size - (bench.size % bench.unit));
      const one = dataOf(await session.ask({ command: read, offset: 0, length }));
      const halves: Buffer[] = [];
      const half = Math.ceil(length / 2 / bench.unit) * bench.unit;
      halves.push(dataOf(await session.ask({ command: read, offset: 0, length: half })));
      if (half < length)
        halves.push(dataOf(await session.ask({ command: read, offset: half, length: length - half })));
      demand(Buffer.concat(halves).equals(one), "a read brings other data than its two halves");
    },
  },
  {
    name: "read/longest-payload-works",
    level: "must",
    section: "Size constraints",
    sentence:
      "The maximum payload size represents the maximum payload length that the server is willing to handle in one request from the client.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const length = Math.min(bench.payloadMax, bench.size);
      const rounded = length - (length % bench.unit);
      if (rounded === 0) notApplicable("the export is smaller than a block");
      dataOf(await session.ask({ command: read, offset: 0, length: rounded }), `a read of ${rounded} bytes`);
    },
  },
  {
    name: "read/past-the-end-einval",
    level: "should",
    section: "Error values",
    sentence:
      "It SHOULD return `NBD_EINVAL` if it receives a read or trim request including one or more sectors beyond the size of the device",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const { size, unit } = bench;
      const all = size - (size % unit);
      for (const [offset, length] of [
        [all, unit],
        [Math.max(0, all - unit), 4 * unit],
        [all + 1024 * unit, unit],
      ] as const)
        demandErrno(
          await session.ask({ command: read, offset, length }),
          [NbdErrno.EINVAL],
          `a read of ${length} bytes at ${offset}, past the end at ${size},`,
        );
    },
  },
  {
    name: "read/past-the-end-fails",
    level: "should",
    section: "Size constraints",
    sentence:
      "the client MUST NOT use a *length* which, when added to *offset*, would exceed the export size. The server SHOULD report an `NBD_EINVAL` error",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const all = bench.size - (bench.size % bench.unit);
      demandErrno(
        await session.ask({ command: read, offset: all, length: bench.unit }),
        [],
        "a read past the end",
      );
      dataOf(
        await session.ask({ command: read, offset: 0, length: Math.min(all, bench.unit) }),
        "the read after it",
      );
    },
  },
  {
    name: "read/offset-that-wraps-fails",
    level: "must",
    section: "Size constraints",
    sentence:
      "For those requests, the client MUST NOT use a *length* which, when added to *offset*, would exceed the export size.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const top = 1n << 64n;
      const unit = BigInt(bench.unit);
      for (const offset of [top - unit, top - 2n * unit, (1n << 63n) - unit, 1n << 63n]) {
        const reply = await session.ask({ command: read, offset, length: 2 * bench.unit });
        demandErrno(reply, [], `a read at ${offset}`);
      }
      await demandReads(bench, session);
    },
  },
  {
    name: "read/unaligned-einval",
    level: "should",
    section: "Error values",
    sentence:
      "It SHOULD return `NBD_EINVAL` … if a read or write request is not aligned to advertised minimum block sizes.",
    needs: ["export"],
    async run(bench) {
      const { minimum } = bench;
      if (minimum === 1) notApplicable("every byte can be addressed");
      const session = await bench.enter();
      for (const [offset, length] of [
        [1, minimum],
        [0, minimum - 1],
        [minimum / 2, minimum],
      ] as const)
        demandErrno(
          await session.ask({ command: read, offset, length }),
          [NbdErrno.EINVAL],
          `a read of ${length} bytes at ${offset}, with blocks of ${minimum},`,
        );
    },
  },
  {
    name: "read/bytes-where-minimum-is-one",
    level: "must",
    section: "Size constraints",
    sentence:
      "The minimum block size represents the smallest addressable length and alignment within the export",
    needs: ["export"],
    async run(bench) {
      if (bench.survey.simple?.blockSizes?.minimum !== 1) notApplicable("the minimum block is not 1");
      const session = await bench.enter();
      const length = Math.min(64, bench.size);
      const all = dataOf(await session.ask({ command: read, offset: 0, length }));
      for (const [offset, count] of [
        [1, 1],
        [3, 17],
      ] as const) {
        if (offset + count > length) continue;
        const data = dataOf(await session.ask({ command: read, offset, length: count }));
        demand(data.equals(all.subarray(offset, offset + count)), "an unaligned read brings other data");
      }
    },
  },
  {
    name: "read/length-zero-does-not-disconnect",
    level: "should",
    section: "Request types",
    sentence:
      "The client SHOULD NOT request a read length of 0; the behavior of a server on such a request is unspecified although the server SHOULD NOT disconnect.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      await session.ask({ command: read, offset: 0, length: 0 });
      await demandReads(bench, session);
    },
  },
  {
    name: "read/four-GiB-harms-nobody",
    level: "must",
    section: "Size constraints",
    sentence:
      "either the server or the client MAY initiate a hard disconnect if a payload length of either a request or a reply would be large enough to be deemed a denial of service attack",
    needs: ["export"],
    async run(bench) {
      if (bench.size >= 0xffff_ffff) notApplicable("the export has 4 GiB: such a read may succeed");
      const session = await bench.enter();
      session.send({ command: read, offset: 0, length: 0xffff_fe00 });
      const head = await session.wire.takeUnlessEnded(16, "an answer");
      demand(head?.readUInt32BE(4) !== 0, "a read of 4 GiB succeeded");
      await bench.end();
      const next = await bench.enter();
      dataOf(await next.ask({ command: read, offset: 0, length: Math.min(bench.unit, bench.size) }));
    },
  },
  {
    name: "read/32-MiB-is-no-attack",
    level: "should",
    section: "Size constraints",
    sentence:
      "any payload not exceeding 2^25 (33,554,432) bytes SHOULD NOT be considered a denial of service attack, even if that length is larger than the advertised maximum payload size",
    needs: ["export"],
    async run(bench) {
      if (bench.size < 33_554_432) notApplicable("the export is smaller than 32 MiB");
      const session = await bench.enter();
      const reply = await session.ask({ command: read, offset: 0, length: 33_554_432 });
      // It may be refused; but what is refused and what comes has to be whole.
      if (errnoOf(reply) === 0) dataOf(reply);
      await demandReads(bench, session);
    },
  },
  {
    name: "read/fua-accepted",
    level: "must",
    section: "Command flags",
    sentence:
      "This flag is valid for all commands, provided `NBD_FLAG_SEND_FUA` has been negotiated, in which case the server MUST accept all commands with this bit set (even by ignoring the bit).",
    needs: ["export", "fua"],
    async run(bench) {
      const session = await bench.enter();
      const length = Math.min(bench.unit, bench.size);
      dataOf(
        await session.ask({ command: read, flags: CommandFlag.fua, offset: 0, length }),
        "a read with FUA",
      );
    },
  },
  {
    name: "read/unknown-flags-einval",
    level: "should",
    section: "Error values",
    sentence: "The server SHOULD return `NBD_EINVAL` if it receives an unknown command flag.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const length = Math.min(bench.unit, bench.size);
      for (let bit = 6; bit < 16; bit++)
        demandErrno(
          await session.ask({ command: read, flags: 1 << bit, offset: 0, length }),
          [NbdErrno.EINVAL],
          `a read with the unknown flag of bit ${bit}`,
        );
      dataOf(await session.ask({ command: read, offset: 0, length }), "the read after them");
    },
  },
  {
    name: "read/flags-of-other-commands-einval",
    level: "should",
    section: "Error values",
    sentence:
      "It also SHOULD return `NBD_EINVAL` if it receives a request with a flag not explicitly documented as applicable to the given request.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const length = Math.min(bench.unit, bench.size);
      for (const [name, flags] of Object.entries(CommandFlag)) {
        if (name === "fua" || name === "df") continue;
        const reply = await session.ask({ command: read, flags, offset: 0, length });
        demandErrno(reply, [NbdErrno.EINVAL], `a read with the flag ${name}`);
      }
    },
  },
  {
    name: "read/df-not-offered-einval",
    level: "should",
    section: "Error values",
    sentence:
      "It also SHOULD return `NBD_EINVAL` if it receives a request with a flag not explicitly documented as applicable to the given request.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      if ((session.facts.flags & TransmissionFlag.sendDf) !== 0) notApplicable("the server offers DF");
      const length = Math.min(bench.unit, bench.size);
      demandErrno(
        await session.ask({ command: read, flags: CommandFlag.df, offset: 0, length }),
        [NbdErrno.EINVAL],
        "a read with the flag DF, which was not offered,",
      );
    },
  },
  {
    name: "read/error-values-known",
    level: "must",
    section: "Error values",
    sentence:
      "Therefore, the allowed values for the error field have been restricted to set of possibilities.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const all = bench.size - (bench.size % bench.unit);
      const replies = [
        await session.ask({ command: read, offset: all, length: bench.unit }),
        await session.ask({ command: read, flags: 0x8000, offset: 0, length: bench.unit }),
        await session.ask({ command: 77, offset: 0, length: 0 }),
      ];
      for (const reply of replies) {
        const errno = errnoOf(reply);
        demand(KNOWN_ERRORS.has(errno), `the error ${errno} is none of the document's`);
      }
    },
  },
  {
    name: "read/enotsup-eoverflow-not-for-bad-requests",
    level: "should",
    section: "Error values",
    sentence:
      "The server SHOULD NOT return `NBD_ENOTSUP` except as documented in response to `NBD_CMD_WRITE_ZEROES` when `NBD_CMD_FLAG_FAST_ZERO` is supported.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const all = bench.size - (bench.size % bench.unit);
      for (const reply of [
        await session.ask({ command: read, offset: all, length: bench.unit }),
        await session.ask({ command: 77, offset: 0, length: 0 }),
        await session.ask({ command: Command.blockStatus, offset: 0, length: bench.unit }),
      ]) {
        const errno = errnoOf(reply);
        demand(
          errno !== NbdErrno.ENOTSUP && errno !== NbdErrno.EOVERFLOW,
          `the error is ${errnoName(errno)}`,
        );
      }
    },
  },
];
