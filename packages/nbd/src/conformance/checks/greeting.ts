import { ClientFlag, HandshakeFlag, OptionType } from "../../protocol/numbers.ts";
import type { Check } from "../check.ts";
import { exportNameLength } from "../export-facts.ts";
import { demandInStep, encodeClientFlags, encodeOption, Haggling, readGreeting } from "../haggling.ts";
import { demand, notApplicable } from "../violation.ts";

const KNOWN_FLAGS = HandshakeFlag.fixedNewstyle | HandshakeFlag.noZeroes;

/** How long a server is listened to that has nothing to say. */
const LISTEN_MS = 100;

/** The first bytes of both sides. */
export const greetingChecks: readonly Check[] = [
  {
    name: "greeting/sends-magic-and-haveopt",
    level: "must",
    section: "Newstyle negotiation",
    sentence:
      "S: 64 bits, `0x4e42444d41474943` (ASCII '`NBDMAGIC`') (as in the old style handshake) S: 64 bits, `0x49484156454F5054` (ASCII '`IHAVEOPT`')",
    needs: [],
    async run(bench) {
      await readGreeting(await bench.connect());
    },
  },
  {
    name: "greeting/sets-fixed-newstyle",
    level: "must",
    section: "Handshake flags",
    sentence:
      "bit 0, `NBD_FLAG_FIXED_NEWSTYLE`; MUST be set by servers that support the fixed newstyle protocol",
    needs: [],
    async run(bench) {
      const flags = await readGreeting(await bench.connect());
      demand(
        (flags & HandshakeFlag.fixedNewstyle) !== 0,
        `the handshake flags are ${flags}: bit 0 is not set`,
      );
    },
  },
  {
    name: "greeting/no-unknown-handshake-flags",
    level: "must",
    section: "Handshake flags",
    sentence:
      "The server MUST NOT set any other flags, and SHOULD NOT change behaviour unless the client responds with a corresponding flag.",
    needs: [],
    async run(bench) {
      const flags = await readGreeting(await bench.connect());
      demand((flags & ~KNOWN_FLAGS) === 0, `the handshake flags are 0x${flags.toString(16)}`);
    },
  },
  {
    name: "greeting/waits-for-client-flags",
    level: "must",
    section: "Newstyle negotiation",
    sentence: "C: 32 bits, client flags … This completes the initial phase of negotiation",
    needs: [],
    async run(bench) {
      const wire = await bench.connect();
      await readGreeting(wire);
      await bench.pause(Math.min(LISTEN_MS, bench.timeoutMs));
      demand(wire.unreadCount === 0, "the server sends more before the client has sent its flags");
    },
  },
  {
    name: "greeting/client-without-flags-opens",
    level: "should",
    section: "Handshake flags",
    sentence:
      "The server … SHOULD NOT change behaviour unless the client responds with a corresponding flag.",
    needs: ["export", "plain"],
    async run(bench) {
      if (bench.survey.needsBlockSizes) notApplicable("the server insists on being asked for block sizes");
      const { wire } = await bench.hagglePlain(0);
      wire.send(encodeOption(OptionType.exportName, Buffer.from(bench.exportName)), "option exportName");
      await wire.take(exportNameLength(true), "the answer to EXPORT_NAME");
    },
  },
  {
    name: "greeting/unknown-client-flag-closes",
    level: "must",
    section: "Client flags",
    sentence:
      "Clients MUST NOT set any other flags; the server MUST drop the TCP connection if the client sets an unknown flag, or a flag that does not match something advertised by the server.",
    needs: [],
    async run(bench) {
      const { wire } = await bench.hagglePlain(KNOWN_FLAGS | 0x4000_0000);
      wire.send(encodeOption(OptionType.list), "option list");
      await wire.expectEnd("after a client flag that does not exist (bit 30)");
    },
  },
  {
    name: "greeting/next-client-flag-closes",
    level: "must",
    section: "Newstyle negotiation",
    sentence: "the server MUST close the TCP connection if it does not recognize the client's flags",
    needs: [],
    async run(bench) {
      const { wire } = await bench.hagglePlain(KNOWN_FLAGS | 4);
      wire.send(encodeOption(OptionType.list), "option list");
      await wire.expectEnd("after a client flag that does not exist (bit 2)");
    },
  },
  {
    name: "greeting/no-zeroes-not-offered-closes",
    level: "must",
    section: "Client flags",
    sentence:
      "`NBD_FLAG_C_NO_ZEROES`; MUST NOT be set if the server did not set `NBD_FLAG_NO_ZEROES` … the server MUST drop the TCP connection if the client sets … a flag that does not match something advertised by the server.",
    needs: [],
    async run(bench) {
      const wire = await bench.connect();
      const flags = await readGreeting(wire);
      if ((flags & HandshakeFlag.noZeroes) !== 0) notApplicable("the server offers NO_ZEROES");
      wire.send(encodeClientFlags(ClientFlag.fixedNewstyle | ClientFlag.noZeroes), "client flags 3");
      wire.send(encodeOption(OptionType.list), "option list");
      await wire.expectEnd("after NO_ZEROES, which it had not offered");
    },
  },
  {
    name: "greeting/flags-in-pieces",
    level: "must",
    section: "Newstyle negotiation",
    sentence: "C: 32 bits, client flags",
    needs: [],
    async run(bench) {
      const wire = await bench.connect();
      const flags = await readGreeting(wire);
      await wire.sendPieces(encodeClientFlags(flags & KNOWN_FLAGS), 1, "client flags");
      await wire.sendPieces(encodeOption(OptionType.list), 1, "option list");
      await wire.take(20, "an answer to LIST");
    },
  },
  {
    name: "greeting/flags-with-first-option",
    level: "must",
    section: "Newstyle negotiation",
    sentence: "C: 32 bits, client flags … At this point, we move on to option haggling",
    needs: [],
    async run(bench) {
      const wire = await bench.connect();
      const flags = (await readGreeting(wire)) & KNOWN_FLAGS;
      const both = Buffer.concat([encodeClientFlags(flags), encodeOption(OptionType.list)]);
      wire.send(both, "client flags and option list in one packet");
      await wire.take(20, "an answer to LIST");
    },
  },
  {
    name: "greeting/connection-dropped-before-flags",
    level: "should",
    section: "Termination of the session during option haggling",
    sentence:
      "The client or the server can disconnect the TCP session without activity at the NBD protocol level.",
    needs: [],
    async run(bench) {
      for (let times = 0; times < 3; times++) {
        const wire = await bench.connect();
        await readGreeting(wire);
        wire.send(Buffer.from([0, 0]), "half of the client flags");
        wire.destroy();
      }
      const haggling = await Haggling.start(await bench.connect());
      await demandInStep(haggling, "after connections that were dropped");
    },
  },
];
