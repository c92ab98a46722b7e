import { ClientFlag, Command, InfoType, OptionReply, OptionType } from "../../protocol/numbers.ts";
import type { Bench } from "../bench.ts";
import type { Check } from "../check.ts";
import { decodeInfoAnswer } from "../export-facts.ts";
import type { ExportFacts } from "../export-facts.ts";
import { demandAck, demandError, demandInStep, encodeInfo, NO_SUCH_NAME } from "../haggling.ts";
import { Session } from "../session.ts";
import { demand, demandEqual, notApplicable } from "../violation.ts";
import { lookAt } from "../look-at-export.ts";

const ALL_ITEMS = [InfoType.name, InfoType.description, InfoType.blockSize];

const INVALID_MEANING =
  "The option sent by the client is known by this server, but was determined by the server to be syntactically or semantically invalid.";

/** Everything in one line, for comparison. */
function factsText({ size, flags, blockSizes, name, description }: ExportFacts): string {
  const blocks =
    blockSizes === null ? "-" : `${blockSizes.minimum}/${blockSizes.preferred}/${blockSizes.payloadMax}`;
  return `size ${size}, flags ${flags}, block sizes ${blocks}, name ${name?.toString("hex") ?? "-"}, description ${description?.toString("hex") ?? "-"}`;
}

/** Demands that options with data that contradicts itself fail, and that the connection goes on. */
async function demandInvalid(bench: Bench, data: Buffer, what: string): Promise<void> {
  for (const option of [OptionType.info, OptionType.go]) {
    const haggling = await bench.haggle();
    demandError(await haggling.ask(option, data), bench.orTls([OptionReply.errorInvalid]), what);
    await demandInStep(haggling, `after ${what}`);
  }
}

/** INFO and GO. */
export const infoChecks: readonly Check[] = [
  {
    name: "info/implemented",
    level: "must",
    section: "Baseline",
    sentence:
      "The following MUST be implemented by all implementations … the `NBD_OPT_INFO` and `NBD_OPT_GO` messages, with the `NBD_INFO_EXPORT` response.",
    needs: [],
    async run(bench) {
      for (const option of [OptionType.info, OptionType.go]) {
        const answer = await (await bench.haggle()).ask(option, encodeInfo(bench.exportName));
        demand(
          answer.final.type !== OptionReply.errorUnsupported,
          "the option was answered with errorUnsupported",
        );
      }
    },
  },
  {
    name: "info/export-info-comes",
    level: "must",
    section: "Option types",
    sentence:
      "In this case, the server MUST send at least one `NBD_REP_INFO`, with an `NBD_INFO_EXPORT` information type.",
    needs: ["export"],
    async run(bench) {
      for (const option of [OptionType.info, OptionType.go]) {
        // Without any request: only who enforces other block sizes than the defaults may insist on being asked for them.
        const answer = await (await bench.haggle()).ask(option, encodeInfo(bench.exportName, []));
        if (bench.survey.needsBlockSizes)
          return demandError(
            answer,
            [OptionReply.errorBlockSizeRequired],
            "INFO or GO that asks for nothing",
          );
        demandAck(answer, "INFO or GO without information requests");
        const hasExport = answer.replies.some(
          ({ type, data }) =>
            type === OptionReply.info && data.length >= 2 && data.readUInt16BE(0) === InfoType.export,
        );
        demand(hasExport, "no info about the export came before the ack");
      }
    },
  },
  {
    name: "info/export-info-has-12-bytes",
    level: "must",
    section: "Option reply types",
    sentence: "*length* MUST be 12, and the reply payload is interpreted as follows",
    needs: [],
    async run(bench) {
      const { replies } = await (await bench.haggle()).ask(OptionType.info, encodeInfo(bench.exportName));
      for (const { type, data } of replies)
        if (type === OptionReply.info && data.length >= 2 && data.readUInt16BE(0) === InfoType.export)
          demandEqual(data.length, 12, "the length of the export info");
    },
  },
  {
    name: "info/replies-are-info",
    level: "must",
    section: "Option types",
    sentence:
      "The server replies with a number of `NBD_REP_INFO` replies (as few as zero if an error is reported, at least one on success), then concludes the list of information with a final error reply or with a declaration of success",
    needs: ["export"],
    async run(bench) {
      const { replies } = await (
        await bench.haggle()
      ).ask(OptionType.info, encodeInfo(bench.exportName, ALL_ITEMS));
      for (const { type, data } of replies) {
        demandEqual(type, OptionReply.info, "the type of a reply to INFO");
        demand(data.length >= 2, `an info reply has ${data.length} bytes`);
      }
    },
  },
  {
    name: "info/each-type-once",
    level: "should",
    section: "Option reply types",
    sentence:
      "A particular information type SHOULD only appear once for a given export unless documented otherwise.",
    needs: ["export"],
    async run(bench) {
      const { replies } = await (
        await bench.haggle()
      ).ask(OptionType.info, encodeInfo(bench.exportName, ALL_ITEMS));
      const types = replies.map(({ data }) => {
        demand(data.length >= 2, `an info reply has ${data.length} bytes`);
        return data.readUInt16BE(0);
      });
      demandEqual(new Set(types).size, types.length, "different types among the infos");
    },
  },
  {
    name: "info/go-same-as-info",
    level: "must",
    section: "Option types",
    sentence:
      "If there are no intervening option requests between a successful `NBD_OPT_INFO` … and an `NBD_OPT_GO` with the same parameters (including the list of information items requested), then the server MUST reply with the same set of information",
    needs: ["export"],
    async run(bench) {
      const haggling = await bench.haggle();
      const before = factsText(await lookAt(bench, haggling));
      demandEqual(factsText(await lookAt(bench, haggling, OptionType.go)), before, "what GO tells");
    },
  },
  {
    name: "info/go-same-as-info-structured",
    level: "must",
    section: "Option types",
    sentence:
      "the server MUST reply with the same set of information, such as transmission flags in the `NBD_INFO_EXPORT` reply",
    needs: ["export", "structured"],
    async run(bench) {
      const haggling = await bench.haggle();
      demandAck(await haggling.ask(OptionType.structuredReply), "STRUCTURED_REPLY");
      const before = factsText(await lookAt(bench, haggling));
      demandEqual(factsText(await lookAt(bench, haggling, OptionType.go)), before, "what GO tells");
    },
  },
  {
    name: "info/unknown-export-unknown",
    level: "must",
    section: "Option types",
    sentence: "`NBD_REP_ERR_UNKNOWN`: The chosen export does not exist on this server.",
    needs: [],
    async run(bench) {
      for (const option of [OptionType.info, OptionType.go]) {
        const answer = await (await bench.haggle()).ask(option, encodeInfo(NO_SUCH_NAME));
        if (answer.isAck) notApplicable("the server serves any name");
        demandError(
          answer,
          [OptionReply.errorUnknown, OptionReply.errorTlsRequired],
          "an export that does not exist",
        );
      }
    },
  },
  {
    name: "info/unknown-export-no-infos",
    level: "should",
    section: "Option types",
    sentence: "In this case, the server SHOULD NOT send `NBD_REP_INFO` replies.",
    needs: [],
    async run(bench) {
      const answer = await (await bench.haggle()).ask(OptionType.info, encodeInfo(NO_SUCH_NAME, ALL_ITEMS));
      if (answer.isAck) notApplicable("the server serves any name");
      demandEqual(answer.replies.length, 0, "infos about an export that does not exist");
    },
  },
  {
    name: "info/after-failed-go-options-go-on",
    level: "must",
    section: "Option types",
    sentence:
      "The client MUST NOT send further option requests unless the final reply from the server indicates an error.",
    needs: ["export"],
    async run(bench) {
      const haggling = await bench.haggle();
      const failed = await haggling.ask(OptionType.go, encodeInfo(NO_SUCH_NAME));
      if (failed.isAck) notApplicable("the server serves any name");
      demandAck(await haggling.ask(OptionType.go, encodeInfo(bench.exportName)), "GO after one that failed");
    },
  },
  {
    name: "info/name-longer-than-data-invalid",
    level: "should",
    section: "Option reply types",
    sentence: INVALID_MEANING,
    needs: [],
    run: (bench) =>
      demandInvalid(bench, encodeInfo("name", [], 1000), "a name that is longer than its option"),
  },
  {
    name: "info/name-of-4-GiB-invalid",
    level: "should",
    section: "Option reply types",
    sentence: INVALID_MEANING,
    needs: [],
    run: (bench) => demandInvalid(bench, encodeInfo("name", [], 0xffff_fffc), "a name of 4 GiB"),
  },
  {
    name: "info/short-data-invalid",
    level: "should",
    section: "Option reply types",
    sentence: INVALID_MEANING,
    needs: [],
    run: (bench) => demandInvalid(bench, Buffer.alloc(3), "INFO or GO with three bytes of data"),
  },
  {
    name: "info/too-few-requests-invalid",
    level: "should",
    section: "Option reply types",
    sentence: INVALID_MEANING,
    needs: [],
    run(bench) {
      const data = encodeInfo(bench.exportName, [1, 2]);
      return demandInvalid(bench, data.subarray(0, data.length - 2), "a list of requests that is cut short");
    },
  },
  {
    name: "info/trailing-data-invalid",
    level: "should",
    section: "Option reply types",
    sentence: INVALID_MEANING,
    needs: [],
    run: (bench) =>
      demandInvalid(
        bench,
        Buffer.concat([encodeInfo(bench.exportName), Buffer.alloc(2)]),
        "INFO or GO with two bytes too many",
      ),
  },
  {
    name: "info/malformed-not-obeyed",
    level: "must",
    section: "Option types",
    sentence: "32 bits, length of name (unsigned); MUST be no larger than the option data length - 6",
    needs: [],
    async run(bench) {
      const name = Buffer.byteLength(bench.exportName);
      for (const data of [
        encodeInfo(bench.exportName, [], name + 1),
        encodeInfo(bench.exportName, [], 0x8000_0000),
      ]) {
        const answer = await (await bench.haggle()).askUnlessEnded(OptionType.go, data);
        demand(answer?.isAck !== true, "GO with a name that is longer than its data was accepted");
      }
    },
  },
  {
    name: "info/unknown-request-ignored",
    level: "must",
    section: "Option types",
    sentence: "The server MUST ignore any information requests it does not understand.",
    needs: ["export"],
    async run(bench) {
      const answer = await (
        await bench.haggle()
      ).ask(OptionType.info, encodeInfo(bench.exportName, [0x7abc, 3, 0xffff]));
      demandAck(answer, "INFO with requests that do not exist");
      decodeInfoAnswer(answer);
    },
  },
  {
    name: "info/fifty-requests",
    level: "must",
    section: "Option types",
    sentence:
      "The client MAY list one or more items of specific information it is seeking in the list of information requests",
    needs: ["export"],
    async run(bench) {
      const items = [InfoType.blockSize, ...Array.from({ length: 49 }, (_, index) => 100 + index)];
      demandAck(
        await (await bench.haggle()).ask(OptionType.info, encodeInfo(bench.exportName, items)),
        "INFO with 50 requests",
      );
    },
  },
  {
    name: "info/does-not-enter-transmission",
    level: "must",
    section: "Option types",
    sentence:
      "The client wishes to get details about an export with the given name for use in the transmission phase, but does not yet want to move to the transmission phase.",
    needs: ["export"],
    async run(bench) {
      const haggling = await bench.haggle();
      await lookAt(bench, haggling);
      await demandInStep(haggling, "after INFO");
    },
  },
  {
    name: "info/no-padding-after-go",
    level: "must",
    section: "Option types",
    sentence:
      "The server MUST NOT send any zero padding bytes after the `NBD_REP_ACK` data, whether or not the client negotiated the `NBD_FLAG_C_NO_ZEROES` flag.",
    needs: ["export"],
    async run(bench) {
      // Without NO_ZEROES: the first bytes after the ack have to be those of a reply.
      const haggling = await bench.haggle(ClientFlag.fixedNewstyle);
      const facts = await lookAt(bench, haggling, OptionType.go);
      const { wire } = haggling;
      new Session(wire, { style: "simple", facts }).send({ command: Command.disconnect });
      await wire.expectEnd("after DISC where nothing was under way");
    },
  },
];
