import { Command } from "../../protocol/numbers.ts";
import type { Check } from "../check.ts";
import { dataOf } from "../replies.ts";
import { demand, notApplicable } from "../violation.ts";
import { demandReads } from "../reads.ts";

const { read } = Command;
/** More than two sockets between two processes ever hold. */
const UNREAD_MAX = 16_777_216;
/** Nothing moves any more when nothing was taken at so many looks in a row, so many milliseconds apart. */
const QUIET_LOOKS = 20;
const LOOK_MS = 10;

/** What no client should be able to do to another. The document has no sentence for it. */
export const robustnessChecks: readonly Check[] = [
  {
    name: "robustness/silent-clients-block-nobody",
    level: "should",
    section: "",
    sentence: "",
    needs: ["export", "twoConnections"],
    async run(bench) {
      for (let count = 0; count < 8; count++) await bench.connect();
      const session = await bench.enter();
      await demandReads(bench, session);
    },
  },
  {
    name: "robustness/slow-reader-blocks-nobody",
    level: "should",
    section: "",
    sentence: "",
    needs: ["export", "twoConnections"],
    async run(bench) {
      const slow = await bench.enter();
      slow.wire.pause();
      const length = Math.min(1_048_576, bench.payloadMax, bench.size);
      const rounded = length - (length % bench.unit);
      for (let count = 0; count < 16; count++) slow.send({ command: read, offset: 0, length: rounded });
      await slow.wire.turn();
      const session = await bench.enter();
      for (let count = 0; count < 4; count++) await demandReads(bench, session);
    },
  },
  {
    name: "robustness/half-a-write-blocks-nobody",
    level: "should",
    section: "",
    sentence: "",
    needs: ["write", "twoConnections"],
    room: 65_536,
    async run(bench) {
      const slow = await bench.enter();
      const { offset } = bench.scratch;
      slow.send({ command: Command.write, offset, length: 65_536, payload: Buffer.alloc(100) });
      const session = await bench.enter();
      dataOf(await session.ask({ command: read, offset, length: 65_536 }), "a read beside half a write");
    },
  },
  {
    name: "robustness/unread-answers-are-bounded",
    level: "should",
    section: "",
    sentence: "",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const { wire } = session;
      const length = Math.min(bench.unit, bench.size);
      wire.pause();
      // A client that asks and never reads: a server that goes on taking requests has to keep the answers in its memory.
      const batch = Array.from({ length: 4096 }, () => ({ command: read, offset: 0, length }));
      let [asked, quiet, before] = [0, 0, -1];
      while (quiet < QUIET_LOOKS && asked * length <= UNREAD_MAX * 2) {
        if (wire.unsentCount === 0) {
          session.sendAll(batch);
          asked += batch.length;
        }
        await bench.pause(LOOK_MS);
        quiet = wire.unsentCount === before ? quiet + 1 : 0;
        before = wire.unsentCount;
      }
      if (length * batch.length > UNREAD_MAX) notApplicable("the smallest read is too long to tell");
      const taken = (asked - Math.ceil(wire.unsentCount / 28)) * length;
      demand(
        taken <= UNREAD_MAX,
        `the server took requests for ${taken} bytes of answers that nobody reads, and would take more`,
      );
    },
  },
];
