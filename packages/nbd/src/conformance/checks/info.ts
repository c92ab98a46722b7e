import {
  InfoType,
  OptionReply,
  OptionType,
  STRING_LENGTH_MAX,
  TransmissionFlag,
} from "../../protocol/numbers.ts";
import type { Bench } from "../bench.ts";
import type { Check } from "../check.ts";
import { decodeInfoAnswer } from "../export-facts.ts";
import type { ExportFacts } from "../export-facts.ts";
import { demandAck, demandError, demandInStep, encodeInfo } from "../haggling.ts";
import type { Haggling } from "../haggling.ts";
import { isText } from "../text.ts";
import { demand, demandEqual, notApplicable } from "../violation.ts";

const ALL_ITEMS = [InfoType.name, InfoType.description, InfoType.blockSize];
const NO_SUCH_NAME = "there-is-no-such-export-7f3a";
const INVALID_MEANING =
  "The option sent by the client is known by this server, but was determined by the server to be syntactically or semantically invalid.";

/** What the server tells of the export under test. */
async function lookAt(
  bench: Bench,
  haggling: Haggling,
  option: number = OptionType.info,
): Promise<ExportFacts> {
  const answer = await haggling.ask(option, encodeInfo(bench.exportName, ALL_ITEMS));
  demandAck(answer, option === OptionType.go ? "GO" : "INFO");
  return decodeInfoAnswer(answer);
}

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
    demandError(await haggling.ask(option, data), [OptionReply.errorInvalid], what);
    await demandInStep(haggling, `after ${what}`);
  }
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

async function blockSizesOf(bench: Bench): Promise<NonNullable<ExportFacts["blockSizes"]>> {
  const { blockSizes } = await lookAt(bench, await bench.haggle());
  return blockSizes ?? notApplicable("the server tells no block sizes");
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
    needs: [],
    async run(bench) {
      for (const option of [OptionType.info, OptionType.go]) {
        const answer = await (await bench.haggle()).ask(option, encodeInfo(bench.exportName));
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
      const types = replies.map(({ data }) => data.readUInt16BE(0));
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
      const items = Array.from({ length: 50 }, (_, index) => 100 + index);
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
      const haggling = await bench.haggle(1);
      await lookAt(bench, haggling, OptionType.go);
      const { wire } = haggling;
      const disconnect = Buffer.alloc(28);
      disconnect.writeUInt32BE(0x25609513, 0);
      disconnect.writeUInt16BE(2, 6);
      wire.send(disconnect, "disconnect");
      await wire.expectEnd("after DISC where nothing was under way");
    },
  },
  {
    name: "info/default-export",
    level: "should",
    section: "Option types",
    sentence:
      "If no name is specified (i.e. a zero length string is provided), this specifies the default export (if any), as with `NBD_OPT_EXPORT_NAME`.",
    needs: [],
    async run(bench) {
      const answer = await (await bench.haggle()).ask(OptionType.info, encodeInfo(""));
      if (!answer.isAck)
        return demandError(
          answer,
          [OptionReply.errorUnknown, OptionReply.errorTlsRequired],
          "the empty name",
        );
      decodeInfoAnswer(answer);
    },
  },
  {
    name: "info/canonical-name-opens",
    level: "must",
    section: "Option reply types",
    sentence:
      "This information type represents the same name that would appear in the name portion of an `NBD_REP_SERVER` in response to `NBD_OPT_LIST`.",
    needs: ["export"],
    async run(bench) {
      const haggling = await bench.haggle();
      const { name, size } = await lookAt(bench, haggling);
      if (name === null) notApplicable("the server tells no name");
      demand(
        isText(name) && name.length <= STRING_LENGTH_MAX,
        `the name is no string: ${name.toString("hex")}`,
      );
      const answer = await haggling.ask(OptionType.info, encodeInfo(name.toString("utf8")));
      demandAck(answer, "INFO with the canonical name");
      demandEqual(decodeInfoAnswer(answer).size, size, "the size under the canonical name");
    },
  },
  {
    name: "info/description-is-a-string",
    level: "must",
    section: "Introduction",
    sentence:
      "that string is a sequence of UTF-8 code points, which is not `NUL` terminated, MUST NOT contain `NUL` characters, SHOULD be no longer than 256 bytes and MUST be no longer than 4096 bytes.",
    needs: ["export"],
    async run(bench) {
      const { description } = await lookAt(bench, await bench.haggle());
      if (description === null) notApplicable("the server tells no description");
      demand(isText(description), `the description is no string: ${description.toString("hex")}`);
      demand(description.length <= STRING_LENGTH_MAX, `the description has ${description.length} bytes`);
    },
  },
  {
    name: "info/block-size-has-14-bytes",
    level: "must",
    section: "Option reply types",
    sentence: "The *length* MUST be 14, and the reply payload is interpreted as",
    needs: ["export"],
    async run(bench) {
      const { replies } = await (
        await bench.haggle()
      ).ask(OptionType.info, encodeInfo(bench.exportName, [3]));
      const found = replies.filter(
        ({ data }) => data.length >= 2 && data.readUInt16BE(0) === InfoType.blockSize,
      );
      if (found.length === 0) notApplicable("the server tells no block sizes");
      for (const { data } of found) demandEqual(data.length, 14, "the length of the block size info");
    },
  },
  {
    name: "info/minimum-block-valid",
    level: "must",
    section: "Size constraints",
    sentence: "If advertised, this value MUST be a power of 2, MUST NOT be larger than 2^16 (65,536)",
    needs: ["export"],
    async run(bench) {
      const { minimum } = await blockSizesOf(bench);
      demand(isPowerOfTwo(minimum) && minimum <= 65_536, `the minimum block is ${minimum}`);
    },
  },
  {
    name: "info/preferred-block-valid",
    level: "must",
    section: "Size constraints",
    sentence:
      "If advertised, this MUST be a power of 2 at least as large as the maximum of the minimum block size and 2^9 (512)",
    needs: ["export"],
    async run(bench) {
      const { minimum, preferred } = await blockSizesOf(bench);
      demand(
        isPowerOfTwo(preferred) && preferred >= Math.max(minimum, 512),
        `the preferred block is ${preferred} and the minimum ${minimum}`,
      );
    },
  },
  {
    name: "info/maximum-payload-valid",
    level: "must",
    section: "Size constraints",
    sentence: "MUST be at least as large as the preferred block size",
    needs: ["export"],
    async run(bench) {
      const { preferred, payloadMax } = await blockSizesOf(bench);
      demand(
        payloadMax >= preferred,
        `the maximum payload is ${payloadMax} and the preferred block ${preferred}`,
      );
    },
  },
  {
    name: "info/maximum-payload-of-a-mebibyte",
    level: "should",
    section: "Size constraints",
    sentence: "SHOULD be at least 2^20 (1,048,576) if the export is that large",
    needs: ["export"],
    async run(bench) {
      const { payloadMax } = await blockSizesOf(bench);
      demand(payloadMax >= Math.min(1_048_576, bench.size), `the maximum payload is ${payloadMax}`);
    },
  },
  {
    name: "info/size-multiple-of-minimum",
    level: "should",
    section: "Size constraints",
    sentence:
      "If a server advertises a minimum block size, the advertised export size SHOULD be an integer multiple of that block size",
    needs: ["export"],
    async run(bench) {
      const { minimum } = await blockSizesOf(bench);
      demandEqual(bench.size % minimum, 0, `the rest of the size ${bench.size} over blocks of ${minimum}`);
    },
  },
  {
    name: "info/has-flags-set",
    level: "must",
    section: "Transmission flags",
    sentence: "bit 0, `NBD_FLAG_HAS_FLAGS`: MUST always be 1.",
    needs: ["export"],
    async run(bench) {
      const { flags } = await lookAt(bench, await bench.haggle());
      demand((flags & TransmissionFlag.hasFlags) !== 0, `the transmission flags are 0x${flags.toString(16)}`);
    },
  },
  {
    name: "info/fast-zero-implies-zeroes",
    level: "must",
    section: "Transmission flags",
    sentence: "MUST set this transmission flag to 0 if `NBD_FLAG_SEND_WRITE_ZEROES` is not set",
    needs: ["export"],
    async run(bench) {
      const { flags } = await lookAt(bench, await bench.haggle());
      const isFast = (flags & TransmissionFlag.sendFastZero) !== 0;
      const hasZeroes = (flags & TransmissionFlag.sendWriteZeroes) !== 0;
      demand(
        !isFast || hasZeroes,
        `the transmission flags are 0x${flags.toString(16)}: fast zeroes, and no zeroes`,
      );
    },
  },
  {
    name: "info/no-df-without-structured",
    level: "must",
    section: "Transmission flags",
    sentence: "MUST leave this flag clear if structured replies have not been negotiated",
    needs: ["export"],
    async run(bench) {
      const { flags } = await lookAt(bench, await bench.haggle());
      demand((flags & TransmissionFlag.sendDf) === 0, `the transmission flags are 0x${flags.toString(16)}`);
    },
  },
  {
    name: "info/no-status-payload-without-extended",
    level: "must",
    section: "Transmission flags (extension-ext-header)",
    sentence:
      "Servers MUST NOT advertise this bit unless the client successfully negotiates extended headers via `NBD_OPT_EXTENDED_HEADERS`",
    needs: ["export"],
    async run(bench) {
      const haggling = await bench.haggle();
      const { flags } = await lookAt(bench, haggling);
      demand((flags & 4096) === 0, `the transmission flags are 0x${flags.toString(16)}`);
      if (!(await haggling.ask(OptionType.structuredReply)).isAck) return;
      const structured = await lookAt(bench, haggling);
      demand(
        (structured.flags & 4096) === 0,
        `with structured replies they are 0x${structured.flags.toString(16)}`,
      );
    },
  },
];
