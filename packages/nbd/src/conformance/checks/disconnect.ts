import { Command } from "../../protocol/numbers.ts";
import type { Check } from "../check.ts";
import { dataOf, demandSuccess } from "../replies.ts";
import { demand } from "../violation.ts";
import { pattern } from "../work-place.ts";

const { disconnect, read, write } = Command;

/** DISC, and connections that end. */
export const disconnectChecks: readonly Check[] = [
  {
    name: "disconnect/closes-without-reply",
    level: "must",
    section: "Request types",
    sentence:
      "A disconnect request. The server MUST handle all outstanding requests, shut down the TLS session (if one is running), and close the TCP session. … There is no reply to an `NBD_CMD_DISC`.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      session.send({ command: disconnect });
      await session.wire.expectEnd("after DISC");
    },
  },
  {
    name: "disconnect/answers-what-is-under-way",
    level: "must",
    section: "Request types",
    sentence: "A disconnect request. The server MUST handle all outstanding requests",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const blocks = Math.floor(bench.size / bench.unit);
      const reads = Array.from({ length: 32 }, (_, index) => ({
        command: read,
        offset: (index % blocks) * bench.unit,
        length: bench.unit,
      }));
      const sent = session.sendAll([...reads, { command: disconnect }]).slice(0, -1);
      for (const one of sent) dataOf(await session.reply(one), "a read that was under way at DISC");
      await session.wire.expectEnd("after DISC, with everything answered");
    },
  },
  {
    name: "disconnect/writes-under-way-are-done",
    level: "must",
    section: "Request types",
    sentence: "A disconnect request. The server MUST handle all outstanding requests",
    needs: ["write"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const payload = pattern(65_536, 77);
      session.sendAll([{ command: write, offset, payload }, { command: disconnect }]);
      await session.wire.drain("after DISC behind a write");
      const next = await bench.enter();
      const there = dataOf(await next.ask({ command: read, offset, length: payload.length }));
      demand(there.equals(payload), "a write that stood before DISC was not done");
    },
  },
  {
    name: "disconnect/nothing-read-after-it",
    level: "should",
    section: "Request types",
    sentence: "A client MUST NOT send anything to the server after sending an `NBD_CMD_DISC` command.",
    needs: ["write"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const before = pattern(bench.unit, 1);
      demandSuccess(await session.ask({ command: write, offset, payload: before }));
      session.sendAll([{ command: disconnect }, { command: write, offset, payload: pattern(bench.unit, 2) }]);
      await session.wire.drain("after DISC before a write");
      const next = await bench.enter();
      const there = dataOf(await next.ask({ command: read, offset, length: bench.unit }));
      demand(there.equals(before), "a write that stood behind DISC was done");
    },
  },
  {
    name: "disconnect/half-closed-client-gets-answers",
    level: "should",
    section: "Terminating the transmission phase",
    sentence:
      "On a server shutdown, the server SHOULD wait for inflight requests to be serviced prior to initiating a hard disconnect.",
    needs: ["export"],
    async run(bench) {
      const session = await bench.enter();
      const length = Math.min(bench.unit, bench.size);
      const sent = session.sendAll([
        { command: read, offset: 0, length },
        { command: read, offset: 0, length },
      ]);
      session.wire.end();
      for (const one of sent) dataOf(await session.reply(one), "a read before the client ended its side");
    },
  },
  {
    name: "disconnect/dropped-connections-harm-nobody",
    level: "should",
    section: "Terminating the transmission phase",
    sentence:
      "The client or the server drops the TCP session (in which case it SHOULD shut down the TLS session first).",
    needs: ["export"],
    async run(bench) {
      for (let times = 0; times < 8; times++) {
        const session = await bench.enter();
        const length = Math.min(65_536, bench.size - (bench.size % bench.unit));
        for (let index = 0; index < 4; index++) session.send({ command: read, offset: 0, length });
        if (times % 2 === 0) await session.wire.turn();
        session.wire.destroy();
      }
      const next = await bench.enter();
      dataOf(await next.ask({ command: read, offset: 0, length: Math.min(bench.unit, bench.size) }));
    },
  },
  {
    name: "disconnect/half-a-request-harms-nobody",
    level: "should",
    section: "Terminating the transmission phase",
    sentence:
      "The client or the server drops the TCP session (in which case it SHOULD shut down the TLS session first).",
    needs: ["export"],
    async run(bench) {
      for (const bytes of [1, 13, 27]) {
        const session = await bench.enter();
        session.wire.send(
          Buffer.from("2560951300000000000000000000000000000000000000000000020000", "hex").subarray(0, bytes),
          "a part of a request",
        );
        session.wire.end();
        await session.wire.drain("after the client ended its side in the middle of a request");
      }
      dataOf(
        await (
          await bench.enter()
        ).ask({ command: read, offset: 0, length: Math.min(bench.unit, bench.size) }),
      );
    },
  },
];
