import { Command, OptionReply, OptionType } from "../../protocol/numbers.ts";
import type { Bench } from "../bench.ts";
import { enterTransmission } from "../bench.ts";
import type { Check } from "../check.ts";
import {
  demandAck,
  demandError,
  demandInStep,
  encodeInfo,
  encodeOption,
  encodeQueries,
  NO_SUCH_NAME,
} from "../haggling.ts";
import type { Haggling } from "../haggling.ts";
import { dataOf } from "../replies.ts";
import { startTls } from "../starttls.ts";
import type { ConformanceTls } from "../target.ts";
import { demand, demandEqual, notApplicable, Violation } from "../violation.ts";

const { startTls: START } = OptionType;

function credentials(bench: Bench): ConformanceTls {
  return bench.target.tls ?? notApplicable("there are no keys");
}

/** After STARTTLS. */
async function haggleSecure(bench: Bench): Promise<Haggling> {
  const haggling = await bench.hagglePlain();
  await startTls(haggling, credentials(bench));
  return haggling;
}

/** Tries TLS in a way that must fail, and demands that the server ends the connection. */
async function demandRefused(
  bench: Bench,
  tls: ConformanceTls,
  changes: object,
  what: string,
): Promise<void> {
  const haggling = await bench.hagglePlain();
  demandAck(await haggling.ask(START), "STARTTLS");
  const probe = encodeOption(OptionType.list);
  await haggling.wire.expectTlsRefused(tls, changes, { probe, what });
}

/** STARTTLS. */
export const tlsChecks: readonly Check[] = [
  {
    name: "tls/starttls-answered",
    level: "must",
    section: "Option types",
    sentence:
      "The server MUST either reply with `NBD_REP_ACK` after which point the connection is upgraded to TLS, or an error reply explicitly permitted by this document",
    needs: [],
    async run(bench) {
      const haggling = await bench.hagglePlain();
      haggling.send(START);
      const { type } = await haggling.receive(START);
      const allowed: readonly number[] = [
        OptionReply.ack,
        OptionReply.errorUnsupported,
        OptionReply.errorPolicy,
        OptionReply.errorPlatform,
      ];
      demand(allowed.includes(type), `STARTTLS was answered with the type 0x${type.toString(16)}`);
    },
  },
  {
    name: "tls/no-tls-required-where-there-is-none",
    level: "must",
    section: "NOTLS mode",
    sentence: "The server MUST NOT respond to any option request with `NBD_REP_ERR_TLS_REQD`.",
    needs: [],
    async run(bench) {
      if (bench.survey.tlsReply === OptionReply.ack) notApplicable("the server has TLS");
      for (const [option, data] of [
        [OptionType.list, Buffer.alloc(0)],
        [OptionType.info, encodeInfo(bench.exportName)],
        [OptionType.structuredReply, Buffer.alloc(0)],
        [OptionType.listMetaContext, encodeQueries(bench.exportName, [])],
      ] as const) {
        const { final } = await (await bench.hagglePlain()).ask(option, data);
        demand(
          final.type !== OptionReply.errorTlsRequired,
          `the option ${option} was answered with errorTlsRequired`,
        );
      }
    },
  },
  {
    name: "tls/starttls-with-data-refused",
    level: "should",
    section: "Option types",
    sentence: "The client MUST NOT send any additional data with the option.",
    needs: [],
    async run(bench) {
      if (bench.survey.tlsReply !== OptionReply.ack) notApplicable("the server has no TLS");
      const haggling = await bench.hagglePlain();
      demandError(
        await haggling.ask(START, Buffer.from([1])),
        [OptionReply.errorInvalid],
        "STARTTLS with a byte of data",
      );
      await demandInStep(haggling, "after it");
    },
  },
  {
    name: "tls/works",
    level: "must",
    section: "FORCEDTLS mode",
    sentence:
      "After an `NBD_REP_ACK` reply has been sent, the server MUST be prepared for a TLS handshake, and all further data MUST be sent and received over TLS.",
    needs: ["tls"],
    async run(bench) {
      const session = await enterTransmission(await haggleSecure(bench), { name: bench.exportName });
      dataOf(
        await session.ask({
          command: Command.read,
          offset: 0,
          length: 512 * Math.max(1, bench.minimum / 512),
        }),
      );
    },
  },
  {
    name: "tls/1.2-works",
    level: "must",
    section: "TLS versions",
    sentence:
      "NBD implementations supporting TLS MUST support TLS version 1.2, SHOULD support any later versions.",
    needs: ["tls"],
    async run(bench) {
      const haggling = await bench.hagglePlain();
      demandAck(await haggling.ask(START), "STARTTLS");
      await haggling.wire.upgrade(credentials(bench), { maxVersion: "TLSv1.2" }).catch((error: unknown) => {
        throw new Violation(`TLS 1.2 did not come about: ${String(error)}`);
      });
      demandEqual(haggling.wire.tlsProtocol ?? "", "TLSv1.2", "the version of TLS");
      await demandInStep(haggling, "in TLS");
    },
  },
  {
    name: "tls/1.3-works",
    level: "should",
    section: "TLS versions",
    sentence:
      "NBD implementations supporting TLS MUST support TLS version 1.2, SHOULD support any later versions.",
    needs: ["tls"],
    async run(bench) {
      const haggling = await bench.hagglePlain();
      demandAck(await haggling.ask(START), "STARTTLS");
      await haggling.wire.upgrade(credentials(bench), { minVersion: "TLSv1.3" }).catch((error: unknown) => {
        throw new Violation(`TLS 1.3 did not come about: ${String(error)}`);
      });
      await demandInStep(haggling, "in TLS");
    },
  },
  {
    name: "tls/1.1-refused",
    level: "should",
    section: "TLS versions",
    sentence: "NBD implementations MAY support older versions but SHOULD NOT do so by default",
    needs: ["tls"],
    async run(bench) {
      const tls = credentials(bench);
      if (tls.psk !== undefined) notApplicable("with a pre-shared key this side has no TLS 1.1 either");
      const changes = { minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" };
      await demandRefused(bench, tls, changes, "TLS 1.1");
    },
  },
  {
    name: "tls/second-starttls-invalid",
    level: "must",
    section: "FORCEDTLS mode",
    sentence:
      "If the server receives `NBD_OPT_STARTTLS` when TLS has already been negotiated, it it MUST reply with `NBD_REP_ERR_INVALID`.",
    needs: ["tls"],
    async run(bench) {
      const haggling = await haggleSecure(bench);
      demandError(await haggling.ask(START), [OptionReply.errorInvalid], "a second STARTTLS");
      await demandInStep(haggling, "after it");
    },
  },
  {
    name: "tls/state-is-forgotten",
    level: "must",
    section: "Option types",
    sentence:
      "When this command succeeds, the server MUST NOT preserve any negotiation state (such as a request for `NBD_OPT_STRUCTURED_REPLY`, or metadata contexts from `NBD_OPT_SET_META_CONTEXT`) issued before this command.",
    needs: ["tls"],
    async run(bench) {
      const haggling = await bench.hagglePlain();
      if (!(await haggling.ask(OptionType.structuredReply)).isAck)
        notApplicable("the server takes no STRUCTURED_REPLY before TLS");
      await startTls(haggling, credentials(bench));
      const session = await enterTransmission(haggling, { name: bench.exportName });
      const { simpleError } = await session.ask({ command: Command.read, offset: 0, length: bench.unit });
      demand(simpleError !== null, "a reply is structured that was asked for before TLS only");
    },
  },
  {
    name: "tls/plaintext-behind-starttls-not-used",
    level: "must",
    section: "FORCEDTLS mode",
    sentence: "all further data MUST be sent and received over TLS",
    needs: ["tls"],
    async run(bench) {
      const haggling = await bench.hagglePlain();
      const { wire } = haggling;
      wire.send(
        Buffer.concat([encodeOption(START), encodeOption(OptionType.structuredReply)]),
        "STARTTLS and STRUCTURED_REPLY in one packet",
      );
      const first = await wire.takeUnlessEnded(20, "an answer to STARTTLS");
      if (first === null) return;
      try {
        await wire.upgrade(credentials(bench));
      } catch {
        return;
      }
      // What was injected would be answered now, unasked; the next answer has to be the one to ABORT.
      const answer = await haggling.askUnlessEnded(OptionType.abort, Buffer.alloc(0));
      if (answer !== null) demandEqual(answer.final.option, OptionType.abort, "the option that is answered");
    },
  },
  {
    name: "tls/no-tls-required-within-tls",
    level: "must",
    section: "FORCEDTLS mode",
    sentence:
      "The server MUST NOT send `NBD_REP_ERR_TLS_REQD` in reply to any option if TLS has already been initiated.",
    needs: ["tls"],
    async run(bench) {
      const haggling = await haggleSecure(bench);
      for (const [option, data] of [
        [OptionType.list, Buffer.alloc(0)],
        [0x6e6f_7065, Buffer.alloc(0)],
        [OptionType.info, encodeInfo(NO_SUCH_NAME)],
        [OptionType.info, encodeInfo(bench.exportName)],
      ] as const)
        demand(
          (await haggling.ask(option, data)).final.type !== OptionReply.errorTlsRequired,
          `the option ${option} was answered with errorTlsRequired`,
        );
    },
  },
  {
    name: "tls/abrupt-end-of-handshake-harms-nobody",
    level: "should",
    section: "FORCEDTLS mode",
    sentence:
      "If the handshake is unsuccessful (for instance the client's certificate does not match) the server MUST terminate the session",
    needs: ["tls"],
    async run(bench) {
      for (const bytes of [
        Buffer.alloc(0),
        Buffer.from("160301", "hex"),
        Buffer.from("no TLS at all, but words"),
      ]) {
        const haggling = await bench.hagglePlain();
        demandAck(await haggling.ask(START), "STARTTLS");
        haggling.wire.send(bytes, "what is no TLS");
        haggling.wire.end();
        await haggling.wire.drain("after what was no TLS handshake");
      }
      demandAck(await (await haggleSecure(bench)).ask(OptionType.abort), "ABORT on the next connection");
    },
  },
  {
    name: "tls/wrong-psk-ends",
    level: "must",
    section: "FORCEDTLS mode",
    sentence:
      "If the handshake is unsuccessful (for instance the client's certificate does not match) the server MUST terminate the session as by this stage it is too late to continue without TLS as the acknowledgement has been sent.",
    needs: ["tls"],
    async run(bench) {
      const tls = credentials(bench);
      if (tls.psk === undefined) notApplicable("the server is spoken to with certificates");
      const { username, key } = tls.psk;
      await demandRefused(
        bench,
        { ...tls, psk: { username, key: key.map((byte) => byte ^ 0xff) } },
        {},
        "a wrong key",
      );
      await demandRefused(
        bench,
        { ...tls, psk: { username: "nobody", key } },
        {},
        "a name that does not exist",
      );
    },
  },
];
