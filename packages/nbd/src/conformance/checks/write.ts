import { Command, CommandFlag, NbdErrno, TransmissionFlag } from "../../protocol/numbers.ts";
import type { Check } from "../check.ts";
import { dataOf, demandErrno, demandSuccess, errnoOf } from "../replies.ts";
import type { Session } from "../session.ts";
import { demand, notApplicable } from "../violation.ts";
import { enterReadOnly, enterRefusing, pattern } from "../work-place.ts";
import { demandReads } from "../reads.ts";

const { read, write } = Command;

/** Demands that these bytes are there, also for another connection that comes after this one. */
async function demandThere(session: Session, offset: number, data: Buffer, what: string): Promise<void> {
  const there = dataOf(await session.ask({ command: read, offset, length: data.length }));
  demand(there.equals(data), what);
}

/** WRITE. */
export const writeChecks: readonly Check[] = [
  {
    name: "write/reads-back",
    level: "must",
    section: "Request types",
    sentence: "The server MUST write the data to disk, and then send the reply message.",
    needs: ["write"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      for (const [seed, length] of [bench.unit, 4096, 65_536].entries()) {
        const payload = pattern(Math.max(length, bench.unit), seed);
        demandSuccess(await session.ask({ command: write, offset, payload }));
        await demandThere(session, offset, payload, "what was written does not read back");
      }
    },
  },
  {
    name: "write/changes-nothing-around",
    level: "must",
    section: "Request types",
    sentence: "Length and offset define the location and amount of data to be written.",
    needs: ["write"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const { unit, minimum } = bench;
      const data = pattern(4 * unit, 3);
      demandSuccess(await session.ask({ command: write, offset, payload: data }));
      const small = pattern(minimum, 9);
      const at = unit + minimum * (unit > minimum ? 1 : 0);
      demandSuccess(await session.ask({ command: write, offset: offset + at, payload: small }));
      small.copy(data, at);
      await demandThere(session, offset, data, "a write changed bytes beside its own");
    },
  },
  {
    name: "write/longest-payload-works",
    level: "must",
    section: "Size constraints",
    sentence:
      "The maximum payload size represents the maximum payload length that the server is willing to handle in one request from the client.",
    needs: ["write"],
    async run(bench) {
      const session = await bench.enter();
      const { offset, length } = bench.scratch;
      const most = Math.min(bench.payloadMax, length);
      const payload = pattern(most - (most % bench.unit), 5);
      demandSuccess(
        await session.ask({ command: write, offset, payload }),
        `a write of ${payload.length} bytes`,
      );
      await demandThere(session, offset, payload, "a long write does not read back");
    },
  },
  {
    name: "write/over-maximum-payload-in-step",
    level: "must",
    section: "Size constraints",
    sentence:
      "a server that enforces stricter size constraints than the defaults MUST cleanly error commands that fall outside the constraints without corrupting data",
    needs: ["write"],
    async run(bench) {
      const told = bench.survey.simple?.blockSizes?.payloadMax;
      if (told === undefined || told + bench.unit > 33_554_432)
        notApplicable("the maximum payload is 32 MiB or more");
      if (bench.scratch.length < told + bench.unit) notApplicable("the export is smaller than such a write");
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const length = told + bench.unit - (told % bench.unit);
      const reply = await session.ask({ command: write, offset, payload: Buffer.alloc(length, 0x11) });
      if (errnoOf(reply) === 0)
        await demandThere(
          session,
          offset,
          Buffer.alloc(bench.unit, 0x11),
          "a write that succeeded does not read back",
        );
      await demandReads(bench, session, offset);
    },
  },
  {
    name: "write/32-MiB-is-no-attack",
    level: "should",
    section: "Size constraints",
    sentence:
      "any payload not exceeding 2^25 (33,554,432) bytes SHOULD NOT be considered a denial of service attack, even if that length is larger than the advertised maximum payload size",
    needs: ["write"],
    room: 33_554_432,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      await session.ask({ command: write, offset, payload: Buffer.alloc(33_554_432, 0x22) });
      await demandReads(bench, session, offset);
    },
  },
  {
    name: "write/past-the-end-enospc",
    level: "should",
    section: "Error values",
    sentence:
      "The server SHOULD return `NBD_ENOSPC` if it receives a write request including one or more sectors beyond the size of the device.",
    needs: ["write"],
    async run(bench) {
      const session = await bench.enter();
      const { unit, size } = bench;
      const all = size - (size % unit);
      for (const [offset, length] of [
        [all, unit],
        [Math.max(0, all - unit), 4 * unit],
      ] as const)
        demandErrno(
          await session.ask({ command: write, offset, payload: Buffer.alloc(length, 0x33) }),
          [NbdErrno.ENOSPC],
          `a write of ${length} bytes at ${offset}, past the end at ${size},`,
        );
    },
  },
  {
    name: "write/past-the-end-fails-in-step",
    level: "must",
    section: "Request types",
    sentence: "If an error occurs, the server MUST set the appropriate error code in the error field.",
    needs: ["write"],
    async run(bench) {
      const session = await bench.enter();
      const all = bench.size - (bench.size % bench.unit);
      const payload = Buffer.alloc(4 * bench.unit, 0x25);
      demandErrno(await session.ask({ command: write, offset: all, payload }), [], "a write past the end");
      await demandReads(bench, session);
    },
  },
  {
    name: "write/offset-that-wraps-fails",
    level: "must",
    section: "Request types",
    sentence: "If an error occurs, the server MUST set the appropriate error code in the error field.",
    needs: ["write"],
    async run(bench) {
      const session = await bench.enter();
      const payload = Buffer.alloc(2 * bench.unit, 0x44);
      const offset = (1n << 64n) - BigInt(bench.unit);
      demandErrno(await session.ask({ command: write, offset, payload }), [], "a write at 2^64 less a block");
      await demandReads(bench, session);
    },
  },
  {
    name: "write/past-the-end-changes-nothing",
    level: "should",
    section: "Request types",
    sentence: "If an error occurs, the server MUST set the appropriate error code in the error field.",
    needs: ["write"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      const { unit } = bench;
      const last = bench.scratch.offset + bench.scratch.length - unit;
      const before = pattern(unit, 6);
      demandSuccess(await session.ask({ command: write, offset: last, payload: before }));
      const payload = Buffer.alloc(2 * unit, 0x55);
      demandErrno(
        await session.ask({ command: write, offset: last, payload }),
        [],
        "a write that crosses the end",
      );
      await demandThere(session, last, before, "a write that was refused changed the last block");
    },
  },
  {
    name: "write/unaligned-einval",
    level: "should",
    section: "Error values",
    sentence:
      "It SHOULD return `NBD_EINVAL` … if a read or write request is not aligned to advertised minimum block sizes.",
    needs: ["write"],
    async run(bench) {
      const { minimum } = bench;
      if (minimum === 1) notApplicable("every byte can be addressed");
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const payload = Buffer.alloc(minimum);
      demandErrno(
        await session.ask({ command: write, offset: offset + 1, payload }),
        [NbdErrno.EINVAL],
        `a write that is not aligned to blocks of ${minimum}`,
      );
      dataOf(await session.ask({ command: read, offset, length: minimum }), "the read after it");
    },
  },
  {
    name: "write/read-only-eperm",
    level: "should",
    section: "Error values",
    sentence:
      "Finally, it SHOULD return `NBD_EPERM` if it receives a write or trim request on a read-only export.",
    needs: ["readOnly"],
    async run(bench) {
      const { session, contents } = await enterReadOnly(bench);
      const reply = await session.ask({ command: write, offset: 0, payload: contents });
      demandErrno(reply, [NbdErrno.EPERM], "a write to a read-only export");
    },
  },
  {
    name: "write/read-only-fails-in-step",
    level: "must",
    section: "Transmission flags",
    sentence: "If this flag is set, the server MUST error subsequent write operations to the export.",
    needs: ["readOnly"],
    async run(bench) {
      const { session, contents } = await enterRefusing(bench);
      const { length } = contents;
      const there = dataOf(await session.ask({ command: read, offset: 0, length }), "the read after it");
      demand(there.equals(contents), "the read after a write that was refused brings other data");
    },
  },
  {
    name: "write/length-zero-does-not-disconnect",
    level: "should",
    section: "Request types",
    sentence:
      "The client SHOULD NOT request a write length of 0; the behavior of a server on such a request is unspecified although the server SHOULD NOT disconnect.",
    needs: ["write"],
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      await session.ask({ command: write, offset, payload: Buffer.alloc(0) });
      await demandReads(bench, session, offset);
    },
  },
  {
    name: "write/fua-accepted",
    level: "must",
    section: "Command flags",
    sentence:
      "This flag is valid for all commands, provided `NBD_FLAG_SEND_FUA` has been negotiated, in which case the server MUST accept all commands with this bit set",
    needs: ["write", "fua"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const payload = pattern(bench.unit, 12);
      demandSuccess(
        await session.ask({ command: write, flags: CommandFlag.fua, offset, payload }),
        "a write with FUA",
      );
      await demandThere(session, offset, payload, "a write with FUA does not read back");
    },
  },
  {
    name: "write/unknown-flags-einval-in-step",
    level: "should",
    section: "Error values",
    sentence: "The server SHOULD return `NBD_EINVAL` if it receives an unknown command flag.",
    needs: ["write"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      for (const bit of [1, 3, 4, 6, 9, 15]) {
        const payload = Buffer.alloc(bench.unit, 0x25);
        const reply = await session.ask({ command: write, flags: 1 << bit, offset, payload });
        demandErrno(reply, [NbdErrno.EINVAL], `a write with the flag of bit ${bit}`);
      }
      await demandReads(bench, session, offset);
    },
  },
  {
    name: "write/payload-in-pieces",
    level: "must",
    section: "Request types",
    sentence:
      "The client MUST follow the request header with *length* number of bytes to be written to the device.",
    needs: ["write"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const payload = pattern(bench.unit, 21);
      const piece = Math.max(7, Math.ceil(payload.length / 128));
      const sent = await session.sendPieces({ command: write, offset, payload }, piece);
      demandSuccess(await session.reply(sent), "a write in pieces");
      await demandThere(session, offset, payload, "a write in pieces does not read back");
    },
  },
  {
    name: "write/many-then-read",
    level: "must",
    section: "Ordering of messages and writes",
    sentence: "The server MAY process commands out of order, and MAY reply out of order",
    needs: ["write"],
    room: 262_144,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const unit = Math.max(bench.unit, 4096);
      const count = Math.min(64, Math.floor(262_144 / unit));
      const data = pattern(unit * count, 33);
      const requests = Array.from({ length: count }, (_, index) => ({
        command: write,
        offset: offset + index * unit,
        payload: data.subarray(index * unit, (index + 1) * unit),
      }));
      for (const sent of session.sendAll(requests)) demandSuccess(await session.reply(sent));
      await demandThere(session, offset, data, `${count} writes at once do not read back`);
    },
  },
  {
    name: "write/seen-by-next-connection",
    level: "must",
    section: "Request types",
    sentence: "The server MUST write the data to disk, and then send the reply message.",
    needs: ["write"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const payload = pattern(bench.unit, 44);
      demandSuccess(await session.ask({ command: write, offset, payload }));
      if ((session.facts.flags & TransmissionFlag.sendFlush) !== 0)
        demandSuccess(await session.ask({ command: Command.flush }));
      session.send({ command: Command.disconnect });
      await session.wire.drain("after DISC");
      await demandThere(
        await bench.enter(),
        offset,
        payload,
        "what one connection wrote the next does not read",
      );
    },
  },
  {
    name: "write/half-a-write-is-no-write",
    level: "should",
    section: "Request types",
    sentence:
      "The client MUST follow the request header with *length* number of bytes to be written to the device.",
    needs: ["write"],
    room: 65_536,
    async run(bench) {
      const session = await bench.enter();
      const { offset } = bench.scratch;
      const before = pattern(4 * bench.unit, 50);
      demandSuccess(await session.ask({ command: write, offset, payload: before }));
      session.send({
        command: write,
        offset,
        length: 4 * bench.unit,
        payload: Buffer.alloc(bench.unit, 0x66),
      });
      session.wire.destroy();
      await demandThere(
        await bench.enter(),
        offset,
        before,
        "half a write whose client went away has left bytes",
      );
    },
  },
];
