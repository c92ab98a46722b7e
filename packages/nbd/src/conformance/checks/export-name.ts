import { ClientFlag, HandshakeFlag, OptionType } from "../../protocol/numbers.ts";
import type { Bench } from "../bench.ts";
import type { Check } from "../check.ts";
import { decodeExportName, exportNameLength } from "../export-facts.ts";
import { demandAck, NO_SUCH_NAME } from "../haggling.ts";
import type { Haggling } from "../haggling.ts";
import { lookAt } from "../look-at-export.ts";
import { Session } from "../session.ts";
import type { Wire } from "../wire.ts";
import { demand, demandEqual, notApplicable, Violation } from "../violation.ts";
import { demandReads } from "../reads.ts";

/** Where the server insists on it. */
async function askForBlockSizes(bench: Bench, haggling: Haggling): Promise<void> {
  if (bench.survey.needsBlockSizes) await lookAt(bench, haggling);
}

/** Asks for an export the old way. */
async function askForName(bench: Bench, clientFlags: number, name = bench.exportName): Promise<Wire> {
  const haggling = await bench.haggle(clientFlags);
  await askForBlockSizes(bench, haggling);
  haggling.send(OptionType.exportName, Buffer.from(name));
  return haggling.wire;
}

/** Demands that the next bytes are those of a reply. */
async function demandTransmits(
  bench: Bench,
  wire: Wire,
  style: "simple" | "structured" = "simple",
): Promise<void> {
  await demandReads(bench, new Session(wire, { style, facts: bench.survey[style]! }));
}

/** EXPORT_NAME. */
export const exportNameChecks: readonly Check[] = [
  {
    name: "export-name/same-as-info",
    level: "must",
    section: "Option reply types",
    sentence:
      "Describes the same information that is sent in response to the older `NBD_OPT_EXPORT_NAME`, except that there are no trailing zeroes",
    needs: ["export"],
    async run(bench) {
      const wire = await askForName(bench, ClientFlag.fixedNewstyle);
      const { size, flags } = decodeExportName(
        await wire.take(exportNameLength(true), "the answer to EXPORT_NAME"),
      );
      demandEqual(size, bench.survey.simple!.size, "the size that EXPORT_NAME tells");
      demandEqual(flags, bench.survey.simple!.flags, "the flags that EXPORT_NAME tells");
    },
  },
  {
    name: "export-name/124-zeroes",
    level: "must",
    section: "Newstyle negotiation",
    sentence: "S: 124 bytes, zeroes (reserved) (unless `NBD_FLAG_C_NO_ZEROES` was negotiated by the client)",
    needs: ["export"],
    async run(bench) {
      const wire = await askForName(bench, ClientFlag.fixedNewstyle);
      const answer = await wire.take(exportNameLength(true), "the answer to EXPORT_NAME");
      demand(
        answer.subarray(10).every((byte) => byte === 0),
        "the reserved bytes are not all zeroes",
      );
      await demandTransmits(bench, wire);
    },
  },
  {
    name: "export-name/no-zeroes",
    level: "must",
    section: "Client flags",
    sentence:
      "If set, the server MUST NOT send the 124 bytes of zeroes when the client ends negotiation with `NBD_OPT_EXPORT_NAME`.",
    needs: ["export"],
    async run(bench) {
      if ((bench.survey.handshakeFlags & HandshakeFlag.noZeroes) === 0)
        notApplicable("the server does not offer NO_ZEROES");
      const wire = await askForName(bench, ClientFlag.fixedNewstyle | ClientFlag.noZeroes);
      await wire.take(exportNameLength(false), "the answer to EXPORT_NAME");
      await demandTransmits(bench, wire);
    },
  },
  {
    name: "export-name/unknown-name-closes",
    level: "must",
    section: "Option types",
    sentence:
      "If the chosen export does not exist or requirements for the chosen export are not met … the server MUST terminate the session.",
    needs: [],
    async run(bench) {
      const wire = await askForName(bench, ClientFlag.fixedNewstyle, NO_SUCH_NAME);
      const answer = await wire.takeUnlessEnded(8, "the answer to EXPORT_NAME");
      if (answer === null) return;
      if (answer.readUInt32BE(0) === 0x3e889)
        throw new Violation("EXPORT_NAME was answered with an option reply");
      notApplicable("the server serves any name");
    },
  },
  {
    name: "export-name/after-structured-reply",
    level: "must",
    section: "Option types",
    sentence:
      "`NBD_REP_ACK`: Structured replies have been negotiated; the server MUST use structured replies to the `NBD_CMD_READ` transmission request.",
    needs: ["export", "structured"],
    async run(bench) {
      const haggling = await bench.haggle(ClientFlag.fixedNewstyle);
      demandAck(await haggling.ask(OptionType.structuredReply), "STRUCTURED_REPLY");
      await askForBlockSizes(bench, haggling);
      haggling.send(OptionType.exportName, Buffer.from(bench.exportName));
      await haggling.wire.take(exportNameLength(true), "the answer to EXPORT_NAME");
      await demandTransmits(bench, haggling.wire, "structured");
    },
  },
];
