import { Command, CommandFlag, NbdErrno, TransmissionFlag } from "../../protocol/numbers.ts";
import type { Bench } from "../bench.ts";
import type { Check } from "../check.ts";
import { dataOf, demandErrno, demandSuccess, errnoName, errnoOf } from "../replies.ts";
import type { Session } from "../session.ts";
import { demand, demandEqual, notApplicable } from "../violation.ts";
import { enterRefusing, pattern } from "../work-place.ts";
import { demandReads } from "../reads.ts";

const { read, write, writeZeroes } = Command;
/** Two blocks of the largest minimum there is, and as much around them. */
const LENGTH = 262_144;
const [MIDDLE, MIDDLE_END] = [65_536, 196_608];

/** Writes data, then zeroes of these flags over its middle; gives what is there then. */
async function zeroMiddle(bench: Bench, session: Session, flags: number): Promise<void> {
  const { offset } = bench.scratch;
  const data = pattern(LENGTH, flags);
  demandSuccess(await session.ask({ command: write, offset, payload: data }));
  const middle = { offset: offset + MIDDLE, length: MIDDLE_END - MIDDLE };
  demandSuccess(await session.ask({ command: writeZeroes, flags, ...middle }), "a write of zeroes");
  data.fill(0, MIDDLE, MIDDLE_END);
  const there = dataOf(await session.ask({ command: read, offset, length: LENGTH }));
  demand(
    there.subarray(MIDDLE, MIDDLE_END).every((byte) => byte === 0),
    "zeroes do not read back as zeroes",
  );
  demand(there.equals(data), "a write of zeroes changed bytes beside its own");
}

/** WRITE_ZEROES. */
export const zeroesChecks: readonly Check[] = [
  {
    name: "zeroes/read-back",
    level: "must",
    section: "Request types",
    sentence:
      "By default, the server MAY use trimming to zero out the area … but it MUST ensure that the data reads back as zero.",
    needs: ["write", "zeroes"],
    room: LENGTH,
    async run(bench) {
      await zeroMiddle(bench, await bench.enter(), 0);
    },
  },
  {
    name: "zeroes/no-hole-accepted",
    level: "must",
    section: "Command flags",
    sentence: "The server MUST support the use of this flag if it advertises `NBD_FLAG_SEND_WRITE_ZEROES`.",
    needs: ["write", "zeroes"],
    room: LENGTH,
    async run(bench) {
      await zeroMiddle(bench, await bench.enter(), CommandFlag.noHole);
    },
  },
  {
    name: "zeroes/fua-accepted",
    level: "must",
    section: "Command flags",
    sentence: "the server MUST accept all commands with this bit set (even by ignoring the bit)",
    needs: ["write", "zeroes", "fua"],
    room: LENGTH,
    async run(bench) {
      await zeroMiddle(bench, await bench.enter(), CommandFlag.fua);
    },
  },
  {
    name: "zeroes/smallest-block",
    level: "must",
    section: "Request types",
    sentence: "*Offset* and *length* define the location and amount of data to be zeroed.",
    needs: ["write", "zeroes"],
    room: LENGTH,
    async run(bench) {
      const session = await bench.enter();
      const { minimum, unit } = bench;
      const { offset } = bench.scratch;
      const data = pattern(3 * unit, 8);
      demandSuccess(await session.ask({ command: write, offset, payload: data }));
      const at = unit + (unit > minimum ? minimum : 0);
      demandSuccess(await session.ask({ command: writeZeroes, offset: offset + at, length: minimum }));
      data.fill(0, at, at + minimum);
      const there = dataOf(await session.ask({ command: read, offset, length: data.length }));
      demand(there.equals(data), `${minimum} bytes of zeroes are not what reads back`);
    },
  },
  {
    name: "zeroes/no-enotsup-without-fast",
    level: "must",
    section: "Request types",
    sentence:
      "If the server advertised `NBD_FLAG_SEND_FAST_ZERO` but `NBD_CMD_FLAG_FAST_ZERO` is not set, then the server MUST NOT fail with `NBD_ENOTSUP`",
    needs: ["write", "zeroes"],
    room: LENGTH,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      for (const flags of [0, CommandFlag.noHole]) {
        const errno = errnoOf(await session.ask({ command: writeZeroes, flags, offset, length: LENGTH }));
        demand(errno !== NbdErrno.ENOTSUP, "a write of zeroes without FAST_ZERO was answered with ENOTSUP");
      }
    },
  },
  {
    name: "zeroes/fast-zeroes-or-enotsup",
    level: "must",
    section: "Command flags",
    sentence:
      "If set, but the server cannot perform the write zeroes any faster than it would for an equivalent `NBD_CMD_WRITE`, then the server MUST fail quickly with an error of `NBD_ENOTSUP`.",
    needs: ["write", "zeroes", "fastZero"],
    room: LENGTH,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const flags = CommandFlag.fastZero;
      demandSuccess(await session.ask({ command: write, offset, payload: pattern(LENGTH, 3) }));
      const errno = errnoOf(await session.ask({ command: writeZeroes, flags, offset, length: LENGTH }));
      if (errno !== 0) return demandEqual(errnoName(errno), "ENOTSUP", "the error of a fast write of zeroes");
      const there = dataOf(await session.ask({ command: read, offset, length: LENGTH }));
      demand(
        there.every((byte) => byte === 0),
        "zeroes that were fast do not read back as zeroes",
      );
    },
  },
  {
    name: "zeroes/enotsup-leaves-contents",
    level: "should",
    section: "Request types",
    sentence: "SHOULD NOT alter the contents of the export when returning an `NBD_ENOTSUP` failure",
    needs: ["write", "zeroes", "fastZero"],
    room: LENGTH,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const data = pattern(LENGTH, 2);
      demandSuccess(await session.ask({ command: write, offset, payload: data }));
      let wasRefused = false;
      for (const flags of [CommandFlag.fastZero | CommandFlag.noHole, CommandFlag.fastZero]) {
        if (errnoOf(await session.ask({ command: writeZeroes, flags, offset, length: LENGTH })) === 0) break;
        wasRefused = true;
        const there = dataOf(await session.ask({ command: read, offset, length: LENGTH }));
        demand(there.equals(data), "a fast write of zeroes that failed has changed the contents");
      }
      if (!wasRefused) notApplicable("fast zeroes succeeded");
    },
  },
  {
    name: "zeroes/fast-not-offered-einval",
    level: "should",
    section: "Request types",
    sentence:
      "If the server did not advertise `NBD_FLAG_SEND_FAST_ZERO`, then it … SHOULD fail with `NBD_EINVAL` if the `NBD_CMD_FLAG_FAST_ZERO` flag was set.",
    needs: ["write", "zeroes"],
    room: LENGTH,
    async run(bench) {
      const session = await bench.enter();
      if ((session.facts.flags & TransmissionFlag.sendFastZero) !== 0)
        notApplicable("the server offers fast zeroes");
      const { offset } = bench.scratch;
      const flags = CommandFlag.fastZero;
      const reply = await session.ask({ command: writeZeroes, flags, offset, length: LENGTH });
      demandErrno(
        reply,
        [NbdErrno.EINVAL],
        "a write of zeroes with the flag FAST_ZERO, which was not offered,",
      );
    },
  },
  {
    name: "zeroes/past-the-end-enospc",
    level: "should",
    section: "Request types",
    sentence:
      "The server SHOULD return `NBD_ENOSPC` if it receives a write zeroes request including one or more sectors beyond the size of the device.",
    needs: ["write", "zeroes"],
    async run(bench) {
      const session = await bench.enter();
      const { unit, size } = bench;
      const all = size - (size % unit);
      const reply = await session.ask({ command: writeZeroes, offset: all, length: unit });
      demandErrno(reply, [NbdErrno.ENOSPC], "a write of zeroes past the end");
    },
  },
  {
    name: "zeroes/read-only-eperm",
    level: "should",
    section: "Request types",
    sentence: "It SHOULD return `NBD_EPERM` if it receives a write zeroes request on a read-only export.",
    needs: ["readOnly"],
    async run(bench) {
      const { session, contents } = await enterRefusing(bench);
      const reply = await session.ask({ command: writeZeroes, offset: 0, length: contents.length });
      demandErrno(reply, [NbdErrno.EPERM], "a write of zeroes to a read-only export");
    },
  },
  {
    name: "zeroes/longer-than-payload-does-not-disconnect",
    level: "should",
    section: "Size constraints",
    sentence:
      "the client MAY request an effect length larger than the maximum payload size; the server SHOULD NOT disconnect, but MAY reply with an `NBD_EOVERFLOW` or `NBD_EINVAL` error",
    needs: ["write", "zeroes"],
    room: 33_554_432,
    async run(bench) {
      const session = await bench.enter();
      const { offset, length } = bench.scratch;
      const errno = errnoOf(await session.ask({ command: writeZeroes, offset, length }));
      const there = dataOf(
        await session.ask({ command: read, offset: offset + length - LENGTH, length: LENGTH }),
      );
      if (errno === 0)
        demand(
          there.every((byte) => byte === 0),
          "a long write of zeroes did not reach its end",
        );
    },
  },
  {
    name: "zeroes/length-zero-does-not-disconnect",
    level: "should",
    section: "Request types",
    sentence:
      "The client SHOULD NOT request a write length of 0; the behavior of a server on such a request is unspecified although the server SHOULD NOT disconnect.",
    needs: ["write", "zeroes"],
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      await session.ask({ command: writeZeroes, offset, length: 0 });
      await demandReads(bench, session, offset);
    },
  },
  {
    name: "zeroes/unknown-flags-einval",
    level: "should",
    section: "Error values",
    sentence: "The server SHOULD return `NBD_EINVAL` if it receives an unknown command flag.",
    needs: ["write", "zeroes"],
    room: LENGTH,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      for (const bit of [2, 3, 7, 15]) {
        const reply = await session.ask({ command: writeZeroes, flags: 1 << bit, offset, length: LENGTH });
        demandErrno(reply, [NbdErrno.EINVAL], `a write of zeroes with the flag of bit ${bit}`);
      }
    },
  },
  {
    name: "zeroes/not-offered-einval",
    level: "should",
    section: "Transmission flags",
    sentence: "The client MUST NOT use a feature documented as 'exposed' by a flag unless that flag was set.",
    needs: ["write"],
    room: LENGTH,
    async run(bench) {
      const session = await bench.enter();
      if ((session.facts.flags & TransmissionFlag.sendWriteZeroes) !== 0)
        notApplicable("the server offers write zeroes");
      const { offset } = bench.scratch;
      const reply = await session.ask({ command: writeZeroes, offset, length: LENGTH });
      demandErrno(reply, [NbdErrno.EINVAL], "a write of zeroes that was not offered");
    },
  },
];
