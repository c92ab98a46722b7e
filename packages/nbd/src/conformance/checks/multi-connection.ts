import { Command, CommandFlag } from "../../protocol/numbers.ts";
import type { Check } from "../check.ts";
import { dataOf, demandSuccess } from "../replies.ts";
import type { Session } from "../session.ts";
import { demand } from "../violation.ts";
import { pattern } from "../work-place.ts";

const { flush, read, write } = Command;
const VISIBLE =
  "if this flag is present, then the effects of `NBD_CMD_FLUSH` and `NBD_CMD_FLAG_FUA` MUST be visible across all connections when the server sends its reply to that command to the client";

/** Several connections to one export. */
export const multiConnectionChecks: readonly Check[] = [
  {
    name: "multi-connection/flush-makes-writes-visible",
    level: "must",
    section: "Transmission flags",
    sentence: VISIBLE,
    needs: ["write", "flush", "multiConn"],
    room: 65_536,
    async run(bench) {
      const [a, b] = [await bench.enter(), await bench.enter()];
      const { offset } = bench.scratch;
      for (let seed = 0; seed < 4; seed++) {
        dataOf(await b.ask({ command: read, offset, length: 65_536 }));
        const payload = pattern(65_536, seed + 90);
        demandSuccess(await a.ask({ command: write, offset, payload }));
        demandSuccess(await a.ask({ command: flush }));
        const there = dataOf(await b.ask({ command: read, offset, length: 65_536 }));
        demand(there.equals(payload), "what one connection wrote and flushed another does not read");
      }
    },
  },
  {
    name: "multi-connection/flush-covers-other-connections",
    level: "must",
    section: "Transmission flags",
    sentence: VISIBLE,
    needs: ["write", "flush", "multiConn"],
    room: 65_536,
    async run(bench) {
      const [a, b, c] = [await bench.enter(), await bench.enter(), await bench.enter()];
      const { offset } = bench.scratch;
      const payload = pattern(65_536, 70);
      demandSuccess(await a.ask({ command: write, offset, payload }));
      demandSuccess(await b.ask({ command: flush }));
      const there = dataOf(await c.ask({ command: read, offset, length: 65_536 }));
      demand(there.equals(payload), "a flush of one connection does not cover what another wrote");
    },
  },
  {
    name: "multi-connection/fua-makes-writes-visible",
    level: "must",
    section: "Transmission flags",
    sentence: VISIBLE,
    needs: ["write", "fua", "multiConn"],
    room: 65_536,
    async run(bench) {
      const [a, b] = [await bench.enter(), await bench.enter()];
      const { offset } = bench.scratch;
      const length = Math.max(4096, bench.unit);
      for (let seed = 0; seed < 4; seed++) {
        dataOf(await b.ask({ command: read, offset, length }));
        const payload = pattern(length, seed + 60);
        demandSuccess(await a.ask({ command: write, flags: CommandFlag.fua, offset, payload }));
        const there = dataOf(await b.ask({ command: read, offset, length }));
        demand(there.equals(payload), "what one connection wrote with FUA another does not read");
      }
    },
  },
  {
    name: "multi-connection/sixteen",
    level: "should",
    section: "Transmission flags",
    sentence:
      "In the absence of this flag, clients SHOULD NOT multiplex their commands over more than one connection to the export.",
    needs: ["export", "multiConn"],
    async run(bench) {
      const sessions: Session[] = [];
      for (let count = 0; count < 16; count++) sessions.push(await bench.enter());
      const length = Math.min(bench.unit, bench.size);
      const sent = sessions.map((session) => session.send({ command: read, offset: 0, length }));
      for (const [index, session] of sessions.entries()) dataOf(await session.reply(sent[index]!));
    },
  },
  {
    name: "multi-connection/same-facts",
    level: "should",
    section: "Transmission flags",
    sentence:
      "Indicates that the server operates entirely without cache, or that the cache it uses is shared among all connections to the given device",
    needs: ["export", "multiConn"],
    async run(bench) {
      const [a, b] = [await bench.enter(), await bench.enter()];
      demand(
        a.facts.size === b.facts.size && a.facts.flags === b.facts.flags,
        "two connections are told different things",
      );
    },
  },
  {
    name: "multi-connection/neighbour-of-garbage-unharmed",
    level: "should",
    section: "Terminating the transmission phase",
    sentence:
      "Either side MAY initiate a hard disconnect if it detects a violation by the other party of a mandatory condition within this document.",
    needs: ["export", "twoConnections"],
    async run(bench) {
      const neighbour = await bench.enter();
      const length = Math.min(bench.unit, bench.size);
      for (let seed = 0; seed < 4; seed++) {
        const { wire } = await bench.enter();
        wire.send(pattern(4096, seed), "garbage");
        wire.end();
        dataOf(await neighbour.ask({ command: read, offset: 0, length }), "a read beside garbage");
      }
    },
  },
];
