import { Command, CommandFlag, NbdErrno, TransmissionFlag } from "../../protocol/numbers.ts";
import type { Check } from "../check.ts";
import { dataOf, demandErrno, demandSuccess } from "../replies.ts";
import { demand, notApplicable } from "../violation.ts";
import { enterRefusing, pattern } from "../work-place.ts";
import { demandReads } from "../reads.ts";

const { read, trim, write } = Command;

/** TRIM. */
export const trimChecks: readonly Check[] = [
  {
    name: "trim/succeeds",
    level: "must",
    section: "Transmission flags",
    sentence: "bit 5, `NBD_FLAG_SEND_TRIM`: exposes support for `NBD_CMD_TRIM`.",
    needs: ["write", "trim"],
    room: 131_072,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      demandSuccess(await session.ask({ command: trim, offset, length: 131_072 }));
      dataOf(await session.ask({ command: read, offset, length: 65_536 }), "a read of what was trimmed");
    },
  },
  {
    name: "trim/touches-nothing-around",
    level: "must",
    section: "Request types",
    sentence:
      "MAY round *offset* up and *length* down to meet internal alignment constraints so that only a portion of the client's request is actually discarded",
    needs: ["write", "trim"],
    room: 196_608,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const data = pattern(196_608, 4);
      demandSuccess(await session.ask({ command: write, offset, payload: data }));
      demandSuccess(await session.ask({ command: trim, offset: offset + 65_536, length: 65_536 }));
      const there = dataOf(await session.ask({ command: read, offset, length: data.length }));
      const isWhole = (from: number): boolean =>
        there.subarray(from, from + 65_536).equals(data.subarray(from, from + 65_536));
      demand(isWhole(0) && isWhole(131_072), "a trim changed bytes beside its own");
    },
  },
  {
    name: "trim/then-written-reads-back",
    level: "must",
    section: "Request types",
    sentence:
      "a client MUST NOT make any assumptions about the contents of the export affected by this command, until overwriting it again with `NBD_CMD_WRITE` or `NBD_CMD_WRITE_ZEROES`",
    needs: ["write", "trim"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      demandSuccess(await session.ask({ command: trim, offset, length: 65_536 }));
      const payload = pattern(65_536, 5);
      demandSuccess(await session.ask({ command: write, offset, payload }));
      const there = dataOf(await session.ask({ command: read, offset, length: 65_536 }));
      demand(there.equals(payload), "what was written after a trim does not read back");
    },
  },
  {
    name: "trim/past-the-end-einval",
    level: "should",
    section: "Error values",
    sentence:
      "It SHOULD return `NBD_EINVAL` if it receives a read or trim request including one or more sectors beyond the size of the device",
    needs: ["write", "trim"],
    async run(bench) {
      const session = await bench.enter();
      const all = bench.size - (bench.size % bench.unit);
      const reply = await session.ask({ command: trim, offset: all, length: bench.unit });
      demandErrno(reply, [NbdErrno.EINVAL], "a trim past the end");
    },
  },
  {
    name: "trim/read-only-eperm",
    level: "should",
    section: "Error values",
    sentence:
      "Finally, it SHOULD return `NBD_EPERM` if it receives a write or trim request on a read-only export.",
    needs: ["readOnly"],
    async run(bench) {
      const { session, contents } = await enterRefusing(bench);
      const reply = await session.ask({ command: trim, offset: 0, length: contents.length });
      demandErrno(reply, [NbdErrno.EPERM], "a trim of a read-only export");
    },
  },
  {
    name: "trim/longer-than-payload-does-not-disconnect",
    level: "should",
    section: "Size constraints",
    sentence:
      "the client MAY request an effect length larger than the maximum payload size; the server SHOULD NOT disconnect, but MAY reply with an `NBD_EOVERFLOW` or `NBD_EINVAL` error",
    needs: ["write", "trim"],
    room: 33_554_432,
    async run(bench) {
      const session = await bench.enter();
      const { offset, length } = bench.scratch;
      await session.ask({ command: trim, offset, length });
      await demandReads(bench, session, offset);
    },
  },
  {
    name: "trim/length-zero-does-not-disconnect",
    level: "should",
    section: "Request types",
    sentence:
      "The client SHOULD NOT request a trim length of 0; the behavior of a server on such a request is unspecified although the server SHOULD NOT disconnect.",
    needs: ["write", "trim"],
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      await session.ask({ command: trim, offset, length: 0 });
      await demandReads(bench, session, offset);
    },
  },
  {
    name: "trim/fua-accepted",
    level: "must",
    section: "Command flags",
    sentence: "the server MUST accept all commands with this bit set (even by ignoring the bit)",
    needs: ["write", "trim", "fua"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const reply = await session.ask({ command: trim, flags: CommandFlag.fua, offset, length: 65_536 });
      demandSuccess(reply, "a trim with FUA");
    },
  },
  {
    name: "trim/no-hole-flag-einval",
    level: "should",
    section: "Error values",
    sentence:
      "It also SHOULD return `NBD_EINVAL` if it receives a request with a flag not explicitly documented as applicable to the given request.",
    needs: ["write", "trim"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const reply = await session.ask({ command: trim, flags: CommandFlag.noHole, offset, length: 65_536 });
      demandErrno(reply, [NbdErrno.EINVAL], "a trim with the flag NO_HOLE");
    },
  },
  {
    name: "trim/not-offered-einval",
    level: "should",
    section: "Transmission flags",
    sentence: "The client MUST NOT use a feature documented as 'exposed' by a flag unless that flag was set.",
    needs: ["write"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      if ((session.facts.flags & TransmissionFlag.sendTrim) !== 0) notApplicable("the server offers trim");
      const { offset } = bench.scratch;
      const reply = await session.ask({ command: trim, offset, length: 65_536 });
      demandErrno(reply, [NbdErrno.EINVAL], "a trim that was not offered");
    },
  },
];
