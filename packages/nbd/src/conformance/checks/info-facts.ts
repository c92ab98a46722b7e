import {
  Command,
  InfoType,
  OptionReply,
  OptionType,
  PAYLOAD_LENGTH_PORTABLE,
  STRING_LENGTH_MAX,
  TransmissionFlag,
} from "../../protocol/numbers.ts";
import type { Bench } from "../bench.ts";
import type { Check } from "../check.ts";
import { decodeInfoAnswer } from "../export-facts.ts";
import type { ExportFacts } from "../export-facts.ts";
import { demandAck, demandError, encodeInfo } from "../haggling.ts";
import { demandSuccess, errnoOf } from "../replies.ts";
import { isText } from "../text.ts";
import { demand, demandEqual, notApplicable } from "../violation.ts";
import { lookAt } from "../look-at-export.ts";

function isPowerOfTwo(value: number): boolean {
  return value > 0 && Number.isInteger(Math.log2(value));
}

async function blockSizesOf(bench: Bench): Promise<NonNullable<ExportFacts["blockSizes"]>> {
  const { blockSizes } = await lookAt(bench, await bench.haggle());
  return blockSizes ?? notApplicable("the server tells no block sizes");
}

/** What INFO tells of an export. */
export const infoFactsChecks: readonly Check[] = [
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
      const { replies } = await (await bench.haggle()).ask(OptionType.info, encodeInfo(bench.exportName));
      const found = replies.filter(
        ({ data }) => data.length >= 2 && data.readUInt16BE(0) === InfoType.blockSize,
      );
      if (found.length === 0) notApplicable("the server tells no block sizes");
      for (const { data } of found) demandEqual(data.length, 14, "the length of the block size info");
    },
  },
  {
    name: "info/enforced-sizes-are-told",
    level: "must",
    section: "Option reply types",
    sentence:
      "The server MUST send this info if it is requested and it intends to enforce size constraints other than the defaults.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      if (session.facts.blockSizes !== null) notApplicable("the server tells block sizes");
      const all = Math.min(bench.size, PAYLOAD_LENGTH_PORTABLE);
      const large = Math.min(65_536, all);
      // What fails of whole blocks fails for another reason.
      if (errnoOf(await session.ask({ command: Command.read, offset: 0, length: large })) !== 0)
        notApplicable("a read of whole blocks fails");
      for (const [offset, length] of [
        [Math.min(1, bench.size - 1), 1],
        [0, all],
      ] as const) {
        const reply = await session.ask({ command: Command.read, offset, length });
        const what = `a read of ${length} bytes at ${offset}, of a server that tells no block sizes,`;
        demandSuccess(reply, what);
      }
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
      demand(
        (flags & TransmissionFlag.blockStatusPayload) === 0,
        `the transmission flags are 0x${flags.toString(16)}`,
      );
      if (!(await haggling.ask(OptionType.structuredReply)).isAck) return;
      const structured = await lookAt(bench, haggling);
      demand(
        (structured.flags & TransmissionFlag.blockStatusPayload) === 0,
        `with structured replies they are 0x${structured.flags.toString(16)}`,
      );
    },
  },
];
