import { Command, TransmissionFlag } from "../protocol/numbers.ts";
import type { Bench } from "./bench.ts";
import { enterTransmission, UNIT_MIN } from "./bench.ts";
import { dataOf, demandErrno, demandSuccess } from "./replies.ts";
import type { Session } from "./session.ts";
import { demand, notApplicable } from "./violation.ts";

/** Bytes that differ with place and seed. */
export function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index++)
    bytes[index] = (index * 31 + (index >> 8) * 7 + seed * 101) & 0xff;
  return bytes;
}

/** A session on a read-only export, and its first block. */
export interface ReadOnlyPlace {
  readonly session: Session;
  /** What lies at offset 0. */
  readonly contents: Buffer;
}

/** Enters a read-only export. Whoever writes there writes what was read: a server that obeys does no harm then. */
export async function enterReadOnly(bench: Bench): Promise<ReadOnlyPlace> {
  const name = bench.readOnlyName ?? bench.exportName;
  const session = await enterTransmission(await bench.haggle(), { name });
  const { flags, size, blockSizes } = session.facts;
  demand((flags & TransmissionFlag.readOnly) !== 0, `the export “${name}” is not read-only`);
  const length = Math.max(blockSizes?.minimum ?? 1, UNIT_MIN);
  if (size < length) notApplicable("the read-only export is smaller than a block");
  return { session, contents: dataOf(await session.ask({ command: Command.read, offset: 0, length })) };
}

/** The same, after a write that failed: a server that takes writes there is not asked to discard anything. */
export async function enterRefusing(bench: Bench): Promise<ReadOnlyPlace> {
  const place = await enterReadOnly(bench);
  const { session, contents } = place;
  demandErrno(
    await session.ask({ command: Command.write, offset: 0, payload: contents }),
    [],
    "a write to a read-only export",
  );
  return place;
}

/** Bytes of each of its parts. */
export const MIXED_PART = 131_072;

/** Zeroes, then data, then zeroes, each `MIXED_PART` bytes: whoever knows holes tells of them here. */
export async function layMixed(
  bench: Bench,
  session: Session,
): Promise<{ readonly offset: number; readonly data: Buffer }> {
  const { offset } = bench.scratch;
  const data = Buffer.alloc(3 * MIXED_PART);
  const middle = data.subarray(MIXED_PART, 2 * MIXED_PART);
  middle.fill(0x6d);
  if ((session.facts.flags & TransmissionFlag.sendWriteZeroes) === 0) {
    demandSuccess(await session.ask({ command: Command.write, offset, payload: data }));
    return { offset, data };
  }
  demandSuccess(await session.ask({ command: Command.writeZeroes, offset, length: data.length }));
  const there = { command: Command.write, offset: offset + MIXED_PART, payload: middle };
  demandSuccess(await session.ask(there));
  return { offset, data };
}
