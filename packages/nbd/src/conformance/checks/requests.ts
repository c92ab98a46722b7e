import { Command, NbdErrno } from "../../protocol/numbers.ts";
import type { Check } from "../check.ts";
import { dataOf, demandErrno, demandSuccess } from "../replies.ts";
import { demand } from "../violation.ts";
import { demandReads } from "../reads.ts";

const { read } = Command;

function otherMagicIsNotObeyed(name: string, magic: number, what: string): Check {
  return {
    name: `requests/${name}-not-obeyed`,
    level: "should",
    section: "Terminating the transmission phase",
    sentence:
      "Either side MAY initiate a hard disconnect if it detects a violation by the other party of a mandatory condition within this document.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const length = Math.min(bench.unit, bench.size);
      session.send({ command: read, magic, offset: 0, length });
      const head = await session.wire.takeUnlessEnded(8, "an answer");
      demand(head?.readUInt32BE(4) !== 0, `${what} was obeyed`);
    },
  };
}

/** What holds for requests of any kind. */
export const requestChecks: readonly Check[] = [
  {
    name: "requests/cookie-echoed",
    level: "must",
    section: "Transmission",
    sentence:
      "In each reply message (whether simple or structured), the server MUST use the same value for cookie as was sent by the client in the corresponding request, treating the cookie as an opaque field.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const length = Math.min(bench.unit, bench.size);
      for (const cookie of [0n, 1n, (1n << 64n) - 1n, 0x8000_0000_0000_0000n, 0xffff_ffffn, 1n])
        dataOf(await session.ask({ command: read, cookie, offset: 0, length }));
    },
  },
  {
    name: "requests/cookie-may-be-used-again",
    level: "must",
    section: "Transmission",
    sentence: "but MAY reuse cookies that are no longer in flight; cookies need not be consecutive",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const length = Math.min(bench.unit, bench.size);
      for (let times = 0; times < 5; times++)
        dataOf(await session.ask({ command: read, cookie: 42n, offset: 0, length }));
    },
  },
  {
    name: "requests/hundred-at-once",
    level: "must",
    section: "Transmission",
    sentence:
      "Replies need not be sent in the same order as requests (i.e., requests may be handled by the server asynchronously)",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const { unit } = bench;
      const blocks = Math.floor(bench.size / unit);
      const requests = Array.from({ length: 100 }, (_, index) => ({
        command: read,
        offset: (index % blocks) * unit,
        length: unit,
      }));
      for (const sent of session.sendAll(requests)) dataOf(await session.reply(sent));
    },
  },
  {
    name: "requests/in-pieces",
    level: "must",
    section: "Request message",
    sentence: "The request message, sent by the client, looks as follows",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const length = Math.min(bench.unit, bench.size);
      for (const piece of [1, 5]) {
        const sent = await session.sendPieces({ command: read, offset: 0, length }, piece);
        dataOf(await session.reply(sent));
      }
    },
  },
  otherMagicIsNotObeyed("wrong-magic", 0x1256_0953, "a request with a wrong magic number"),
  otherMagicIsNotObeyed("extended-magic", 0x21e4_1c71, "an extended request that was not negotiated"),
  {
    name: "requests/unknown-command-einval",
    level: "should",
    section: "Error values",
    sentence: "The server SHOULD return `NBD_EINVAL` if it receives an unknown command.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      // Not 8: an extension has it, and it would change the size of the export.
      for (const command of [9, 200, 0xffff])
        demandErrno(
          await session.ask({ command, offset: 0, length: 0 }),
          [NbdErrno.EINVAL],
          `the command ${command}`,
        );
      await demandReads(bench, session);
    },
  },
  {
    name: "requests/unknown-command-has-no-payload",
    level: "must",
    section: "Request message",
    sentence: "C: (*length* bytes of data if the request is of type `NBD_CMD_WRITE`)",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      demandErrno(await session.ask({ command: 99, offset: 0, length: 4096 }), [], "the command 99");
      await demandReads(bench, session);
    },
  },
  {
    name: "requests/no-reply-twice",
    level: "must",
    section: "Transmission",
    sentence:
      "the server sends corresponding replies with either a single simple reply or a series of one or more structured reply chunks per request",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const length = Math.min(bench.unit, bench.size);
      for (let times = 0; times < 3; times++)
        demandSuccess(await session.ask({ command: read, offset: 0, length }));
      session.send({ command: Command.disconnect });
      await session.wire.expectEnd("after DISC, with nothing under way");
    },
  },
];
