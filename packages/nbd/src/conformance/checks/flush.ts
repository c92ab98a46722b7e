import { Command, CommandFlag, NbdErrno, TransmissionFlag } from "../../protocol/numbers.ts";
import type { Check } from "../check.ts";
import { demandErrno, demandSuccess } from "../replies.ts";
import { notApplicable } from "../violation.ts";
import { pattern } from "../work-place.ts";

const { flush, write } = Command;

/** FLUSH. That what was flushed outlives a power cut cannot be seen from outside. */
export const flushChecks: readonly Check[] = [
  {
    name: "flush/succeeds",
    level: "must",
    section: "Transmission flags",
    sentence: "bit 2, `NBD_FLAG_SEND_FLUSH`: exposes support for `NBD_CMD_FLUSH`.",
    needs: ["export", "flush"],
    async run(bench) {
      const session = await bench.enter();
      demandSuccess(await session.ask({ command: flush }));
    },
  },
  {
    name: "flush/after-writes-succeeds",
    level: "must",
    section: "Request types",
    sentence:
      "The server MUST NOT send a successful reply header for this request before all write requests for which a reply has already been sent to the client have reached permanent storage (using fsync() or similar).",
    needs: ["write", "flush"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      for (let times = 0; times < 4; times++) {
        const payload = pattern(bench.unit, times);
        demandSuccess(await session.ask({ command: write, offset: offset + times * bench.unit, payload }));
        demandSuccess(await session.ask({ command: flush }));
      }
    },
  },
  {
    name: "flush/among-writes-under-way",
    level: "must",
    section: "Ordering of messages and writes",
    sentence: "The server MAY process commands out of order, and MAY reply out of order",
    needs: ["write", "flush"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const payload = pattern(bench.unit, 9);
      const requests = Array.from({ length: 12 }, (_, index) =>
        index % 3 === 2
          ? { command: flush }
          : { command: write, offset: offset + index * bench.unit, payload },
      );
      for (const sent of session.sendAll(requests)) demandSuccess(await session.reply(sent));
    },
  },
  {
    name: "flush/fua-accepted",
    level: "must",
    section: "Command flags",
    sentence: "the server MUST accept all commands with this bit set (even by ignoring the bit)",
    needs: ["export", "flush", "fua"],
    async run(bench) {
      const session = await bench.enter();
      demandSuccess(await session.ask({ command: flush, flags: CommandFlag.fua }), "a flush with FUA");
    },
  },
  {
    name: "flush/not-offered-einval",
    level: "should",
    section: "Transmission flags",
    sentence: "The client MUST NOT use a feature documented as 'exposed' by a flag unless that flag was set.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      if ((session.facts.flags & TransmissionFlag.sendFlush) !== 0) notApplicable("the server offers flush");
      demandErrno(await session.ask({ command: flush }), [NbdErrno.EINVAL], "a flush that was not offered");
    },
  },
];
