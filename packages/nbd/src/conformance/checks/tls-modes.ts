import { OptionReply, OptionType } from "../../protocol/numbers.ts";
import type { Bench } from "../bench.ts";
import type { Check } from "../check.ts";
import { demandAck, demandError, encodeInfo, encodeQueries } from "../haggling.ts";
import { demand, demandEqual, notApplicable } from "../violation.ts";

/** Checks of a server that insists on TLS. */
function demandForced(bench: Bench): void {
  if (!bench.survey.isTlsForced) notApplicable("the server does not insist on TLS");
}

/** Checks of a server that leaves TLS to the client for some of its exports. */
function demandSelective(bench: Bench): void {
  if (bench.survey.isTlsForced) notApplicable("the server insists on TLS for everything");
}

/** Servers that insist on TLS, and those that leave the choice. */
export const tlsModesChecks: readonly Check[] = [
  {
    name: "tls/forced-every-option-required",
    level: "must",
    section: "FORCEDTLS mode",
    sentence:
      "If the server receives any other option, including `NBD_OPT_INFO` and unsupported options, it MUST reply with `NBD_REP_ERR_TLS_REQD` if TLS has not been initiated",
    needs: [],
    async run(bench) {
      demandForced(bench);
      for (const [option, data] of [
        [OptionType.list, Buffer.alloc(0)],
        [OptionType.info, encodeInfo(bench.exportName)],
        [OptionType.go, encodeInfo(bench.exportName)],
        [OptionType.structuredReply, Buffer.alloc(0)],
        [OptionType.listMetaContext, encodeQueries(bench.exportName, [])],
        [OptionType.setMetaContext, encodeQueries(bench.exportName, [])],
      ] as const)
        demandError(
          await (await bench.hagglePlain()).ask(option, data),
          [OptionReply.errorTlsRequired],
          `the option ${option} without TLS`,
        );
    },
  },
  {
    name: "tls/forced-unknown-option-required",
    level: "must",
    section: "FORCEDTLS mode",
    sentence:
      "including `NBD_OPT_INFO` and unsupported options, it MUST reply with `NBD_REP_ERR_TLS_REQD` if TLS has not been initiated",
    needs: [],
    async run(bench) {
      demandForced(bench);
      const haggling = await bench.hagglePlain();
      for (const [option, data] of [
        [0x6e6f_7065, Buffer.alloc(10)],
        [OptionType.extendedHeaders, Buffer.alloc(0)],
        [OptionType.info, Buffer.alloc(3)],
      ] as const)
        demandError(
          await haggling.ask(option, data),
          [OptionReply.errorTlsRequired],
          `the option ${option} without TLS`,
        );
    },
  },
  {
    name: "tls/forced-no-infos",
    level: "must",
    section: "Option types",
    sentence: "In this case, a FORCEDTLS server MUST NOT send `NBD_REP_INFO` replies",
    needs: [],
    async run(bench) {
      demandForced(bench);
      const { replies } = await (
        await bench.hagglePlain()
      ).ask(OptionType.info, encodeInfo(bench.exportName, [1, 2, 3]));
      demandEqual(replies.length, 0, "infos before errorTlsRequired");
    },
  },
  {
    name: "tls/forced-export-name-closes",
    level: "must",
    section: "FORCEDTLS mode",
    sentence:
      "If the server receives a request to enter transmission mode via `NBD_OPT_EXPORT_NAME` when TLS has not been initiated, then as this request cannot error, it MUST terminate the session.",
    needs: [],
    async run(bench) {
      demandForced(bench);
      const haggling = await bench.hagglePlain();
      haggling.send(OptionType.exportName, Buffer.from(bench.exportName));
      await haggling.wire.expectEnd("after EXPORT_NAME without TLS");
    },
  },
  {
    name: "tls/forced-abort-works",
    level: "must",
    section: "Server-side requirements",
    sentence:
      "forces the client to upgrade by erroring any NBD options other than `NBD_OPT_STARTTLS` or `NBD_OPT_ABORT` with `NBD_REP_ERR_TLS_REQD` ('FORCEDTLS')",
    needs: [],
    async run(bench) {
      demandForced(bench);
      demandAck(await (await bench.hagglePlain()).ask(OptionType.abort), "ABORT without TLS");
    },
  },
  {
    name: "tls/selective-tls-required-for-exports-only",
    level: "must",
    section: "SELECTIVETLS mode",
    sentence:
      "The server MUST NOT send `NBD_REP_ERR_TLS_REQD` in response to any option other than `NBD_OPT_INFO`, `NBD_OPT_GO` and `NBD_OPT_EXPORT_NAME`, and only in those cases in respect of a TLS-only or non-existent export.",
    needs: [],
    async run(bench) {
      if (bench.survey.isTlsForced || bench.survey.tlsReply !== OptionReply.ack)
        notApplicable("TLS is not for the client to choose");
      for (const option of [OptionType.list, OptionType.structuredReply, 0x6e6f_7065])
        demand(
          (await (await bench.hagglePlain()).ask(option)).final.type !== OptionReply.errorTlsRequired,
          `the option ${option} was answered with errorTlsRequired`,
        );
    },
  },
  {
    name: "tls/tls-only-export-required",
    level: "must",
    section: "SELECTIVETLS mode",
    sentence:
      "it MAY reply with `NBD_REP_ERR_TLS_REQD` if that export is non-existent, and MUST reply with `NBD_REP_ERR_TLS_REQD` if that export is TLS-only.",
    needs: ["export", "tls"],
    async run(bench) {
      demandSelective(bench);
      for (const option of [OptionType.info, OptionType.go]) {
        const answer = await (await bench.hagglePlain()).ask(option, encodeInfo(bench.exportName));
        if (answer.isAck) notApplicable("the export is there for clients without TLS, too");
        demandError(answer, [OptionReply.errorTlsRequired], `the option ${option} for an export in TLS only`);
      }
    },
  },
  {
    name: "tls/tls-only-export-name-closes",
    level: "must",
    section: "SELECTIVETLS mode",
    sentence:
      "If the server receives a request to enter transmission mode via `NBD_OPT_EXPORT_NAME` on a TLS-only export when TLS has not been initiated, then as this request cannot error, it MUST terminate the session.",
    needs: ["export", "tls"],
    async run(bench) {
      demandSelective(bench);
      const haggling = await bench.hagglePlain();
      if ((await haggling.ask(OptionType.info, encodeInfo(bench.exportName))).isAck)
        notApplicable("the export is there for clients without TLS, too");
      haggling.send(OptionType.exportName, Buffer.from(bench.exportName));
      await haggling.wire.expectEnd("after EXPORT_NAME of an export in TLS only");
    },
  },
  {
    name: "tls/none-without-fixed-newstyle",
    level: "must",
    section: "Server-side requirements",
    sentence:
      "The server MUST operate in NOTLS mode unless the server set flag `NBD_FLAG_FIXED_NEWSTYLE` and the client replied with `NBD_FLAG_C_FIXED_NEWSTYLE` in the fixed newstyle negotiation.",
    needs: [],
    async run(bench) {
      if (bench.survey.tlsReply !== OptionReply.ack) notApplicable("the server has no TLS");
      // It may close the connection as well: who does not know the fixed form is not to send other options than EXPORT_NAME.
      const answer = await (await bench.hagglePlain(0)).askUnlessEnded(OptionType.startTls, Buffer.alloc(0));
      demand(answer?.isAck !== true, "STARTTLS of a client without FIXED_NEWSTYLE was accepted");
      const tlsRequired = answer?.final.type === OptionReply.errorTlsRequired;
      demand(!tlsRequired, "a client without FIXED_NEWSTYLE was told that TLS is required");
    },
  },
];
