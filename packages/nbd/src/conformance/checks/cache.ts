import { Command, CommandFlag, NbdErrno } from "../../protocol/numbers.ts";
import type { Check } from "../check.ts";
import { dataOf, demandErrno, errnoOf } from "../replies.ts";
import { demand } from "../violation.ts";
import { demandReads } from "../reads.ts";

const { cache, read } = Command;

/** CACHE. */
export const cacheChecks: readonly Check[] = [
  {
    name: "cache/changes-nothing",
    level: "must",
    section: "Request types",
    sentence:
      "other than any difference in performance, there MUST NOT be any difference in semantics compared to if the client had not used this command",
    needs: ["export", "cache"],
    async run(bench) {
      const session = await bench.enter();
      const length = Math.min(65_536, bench.size - (bench.size % bench.unit));
      const before = dataOf(await session.ask({ command: read, offset: 0, length }));
      errnoOf(await session.ask({ command: cache, offset: 0, length }));
      const after = dataOf(await session.ask({ command: read, offset: 0, length }));
      demand(after.equals(before), "a cache request changed what is read");
    },
  },
  {
    name: "cache/reply-has-no-data",
    level: "must",
    section: "Request types",
    sentence: "performing the actions of `NBD_CMD_READ` but replying with just status instead of a payload",
    needs: ["export", "cache"],
    async run(bench) {
      for (const style of bench.survey.structured === null
        ? (["simple"] as const)
        : (["simple", "structured"] as const)) {
        const session = await bench.enter({ style });
        const length = Math.min(bench.unit, bench.size);
        const { chunks } = await session.ask({ command: cache, offset: 0, length });
        for (const { type } of chunks)
          demand(type !== 1 && type !== 2, "a reply to a cache request has contents");
        dataOf(await session.ask({ command: read, offset: 0, length }), "the read after a cache request");
      }
    },
  },
  {
    name: "cache/unknown-flags-rejected",
    level: "must",
    section: "Request types",
    sentence: "if it advertised the command, the server MUST reject any command flags it does not recognize",
    needs: ["export", "cache"],
    async run(bench) {
      const session = await bench.enter();
      const length = Math.min(bench.unit, bench.size);
      for (const bit of [1, 2, 3, 4, 6, 8, 15])
        demandErrno(
          await session.ask({ command: cache, flags: 1 << bit, offset: 0, length }),
          [],
          `a cache request with the flag of bit ${bit}`,
        );
    },
  },
  {
    name: "cache/fua-accepted",
    level: "must",
    section: "Command flags",
    sentence: "the server MUST accept all commands with this bit set (even by ignoring the bit)",
    needs: ["export", "cache", "fua"],
    async run(bench) {
      const session = await bench.enter();
      const length = Math.min(bench.unit, bench.size);
      const plain = errnoOf(await session.ask({ command: cache, offset: 0, length }));
      const errno = errnoOf(await session.ask({ command: cache, flags: CommandFlag.fua, offset: 0, length }));
      demand(plain !== 0 || errno === 0, "a cache request with FUA was refused, and one without was not");
    },
  },
  {
    name: "cache/past-the-end-einval",
    level: "should",
    section: "Size constraints",
    sentence:
      "The server SHOULD report an `NBD_EINVAL` error if the client's request is not aligned to advertised minimum block size boundaries or would exceed the export size.",
    needs: ["export", "cache"],
    async run(bench) {
      const session = await bench.enter();
      const all = bench.size - (bench.size % bench.unit);
      const reply = await session.ask({ command: cache, offset: all, length: bench.unit });
      demandErrno(reply, [NbdErrno.EINVAL], "a cache request past the end");
    },
  },
  {
    name: "cache/longer-than-payload-does-not-disconnect",
    level: "should",
    section: "Size constraints",
    sentence:
      "the client MAY request an effect length larger than the maximum payload size; the server SHOULD NOT disconnect",
    needs: ["export", "cache"],
    async run(bench) {
      const session = await bench.enter();
      const length = Math.min(bench.size - (bench.size % bench.unit), 0xffff_0000);
      await session.ask({ command: cache, offset: 0, length });
      await demandReads(bench, session);
    },
  },
];
