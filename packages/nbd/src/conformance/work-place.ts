import { Command, TransmissionFlag } from "../protocol/numbers.ts";
import type { Bench } from "./bench.ts";
import { enterTransmission, UNIT_MIN } from "./bench.ts";
import { dataOf, demandErrno } from "./replies.ts";
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
