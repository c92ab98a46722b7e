import { Command, NbdErrno, OptionType } from "../../protocol/numbers.ts";
import type { Bench } from "../bench.ts";
import { enterTransmission } from "../bench.ts";
import type { Check } from "../check.ts";
import { demandAck, encodeQueries } from "../haggling.ts";
import { demandErrno } from "../replies.ts";
import { Session } from "../session.ts";
import { ALLOCATION } from "../survey.ts";
import { notApplicable } from "../violation.ts";
import { demandReads } from "../reads.ts";

const { blockStatus } = Command;

function enter(bench: Bench): Promise<Session> {
  return bench.enter({ style: "structured", contexts: [ALLOCATION] });
}

/** The replies are structured, though the session was entered without saying so again. */
async function demandNoStatus(bench: Bench, session: Session, what: string): Promise<void> {
  const structured = new Session(session.wire, { style: "structured", facts: session.facts });
  demandErrno(await structured.ask({ command: blockStatus, offset: 0, length: bench.unit }), [], what);
}

/** BLOCK_STATUS where there is nothing to tell. */
export const blockStatusRefusedChecks: readonly Check[] = [
  {
    name: "block-status/past-the-end-einval",
    level: "should",
    section: "Request types",
    sentence:
      "The server SHOULD return `NBD_EINVAL` if it receives a `NBD_CMD_BLOCK_STATUS` request including one or more sectors beyond the size of the device.",
    needs: ["meta"],
    async run(bench) {
      const session = await enter(bench);
      const all = bench.size - (bench.size % bench.unit);
      const reply = await session.ask({ command: blockStatus, offset: all, length: bench.unit });
      demandErrno(reply, [NbdErrno.EINVAL], "block status past the end");
    },
  },
  {
    name: "block-status/length-zero-does-not-disconnect",
    level: "should",
    section: "Request types",
    sentence:
      "The client SHOULD NOT request a status length of 0; the behavior of a server on such a request is unspecified although the server SHOULD NOT disconnect.",
    needs: ["meta"],
    async run(bench) {
      const session = await enter(bench);
      await session.ask({ command: blockStatus, offset: 0, length: 0 });
      await demandReads(bench, session);
    },
  },
  {
    name: "block-status/without-context-einval",
    level: "should",
    section: "Metadata querying",
    sentence:
      "Servers SHOULD reply with `NBD_EINVAL` to clients sending `NBD_CMD_BLOCK_STATUS` without selecting at least one metadata context.",
    needs: ["export", "structured"],
    async run(bench) {
      const session = await bench.enter({ style: "structured" });
      const reply = await session.ask({ command: blockStatus, offset: 0, length: bench.unit });
      demandErrno(reply, [NbdErrno.EINVAL], "block status without a metadata context");
    },
  },
  {
    name: "block-status/replaced-contexts-einval",
    level: "must",
    section: "Option types",
    sentence:
      "Change the set of active metadata contexts. Issuing this command replaces all previously-set metadata contexts (including when this command fails)",
    needs: ["meta"],
    async run(bench) {
      const haggling = await bench.haggle();
      demandAck(await haggling.ask(OptionType.structuredReply), "STRUCTURED_REPLY");
      const { setMetaContext } = OptionType;
      demandAck(
        await haggling.ask(setMetaContext, encodeQueries(bench.exportName, [ALLOCATION])),
        "SET_META_CONTEXT",
      );
      demandAck(
        await haggling.ask(setMetaContext, encodeQueries(bench.exportName, [])),
        "SET_META_CONTEXT of none",
      );
      const session = await enterTransmission(haggling, { name: bench.exportName });
      await demandNoStatus(bench, session, "block status after contexts were replaced by none");
    },
  },
  {
    name: "block-status/failed-set-clears",
    level: "must",
    section: "Option types",
    sentence:
      "Issuing this command replaces all previously-set metadata contexts (including when this command fails)",
    needs: ["meta"],
    async run(bench) {
      const haggling = await bench.haggle();
      demandAck(await haggling.ask(OptionType.structuredReply), "STRUCTURED_REPLY");
      const { setMetaContext } = OptionType;
      const good = encodeQueries(bench.exportName, [ALLOCATION]);
      demandAck(await haggling.ask(setMetaContext, good), "SET_META_CONTEXT");
      const failed = await haggling.ask(setMetaContext, good.subarray(0, good.length - 1));
      if (failed.isAck) notApplicable("the server accepts a query that is cut short");
      const session = await enterTransmission(haggling, { name: bench.exportName });
      await demandNoStatus(bench, session, "block status after SET_META_CONTEXT failed");
    },
  },
  {
    name: "block-status/contexts-of-another-export-einval",
    level: "should",
    section: "Metadata querying",
    sentence:
      "A client MUST NOT use `NBD_CMD_BLOCK_STATUS` unless it selected a nonzero number of metadata contexts during negotiation, and used the same export name for the subsequent `NBD_OPT_GO`",
    needs: ["meta"],
    async run(bench) {
      const { simple, exportNames } = bench.survey;
      // The default export has a name of its own as well: that would be no other export.
      const isOther = (name: string): boolean =>
        name !== bench.exportName && name !== simple?.name?.toString("utf8");
      const other = bench.readOnlyName ?? exportNames?.find(isOther);
      if (other === undefined) notApplicable("no second export is known");
      const haggling = await bench.haggle();
      demandAck(await haggling.ask(OptionType.structuredReply), "STRUCTURED_REPLY");
      const answer = await haggling.ask(OptionType.setMetaContext, encodeQueries(other, [ALLOCATION]));
      if (!answer.isAck || answer.replies.length === 0) notApplicable("the second export has no contexts");
      const session = await enterTransmission(haggling, { name: bench.exportName });
      await demandNoStatus(bench, session, "block status with contexts of another export");
    },
  },
  {
    name: "block-status/unknown-flags-einval",
    level: "should",
    section: "Error values",
    sentence: "The server SHOULD return `NBD_EINVAL` if it receives an unknown command flag.",
    needs: ["meta"],
    async run(bench) {
      const session = await enter(bench);
      for (const bit of [1, 2, 4, 7, 15]) {
        const reply = await session.ask({
          command: blockStatus,
          flags: 1 << bit,
          offset: 0,
          length: bench.unit,
        });
        demandErrno(reply, [NbdErrno.EINVAL], `block status with the flag of bit ${bit}`);
      }
    },
  },
];
