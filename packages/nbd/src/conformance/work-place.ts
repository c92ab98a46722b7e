import type { Bench } from "./bench.ts";
import { enterTransmission } from "./bench.ts";
import type { Session } from "./session.ts";
import { demand } from "./violation.ts";

/** Bytes that differ with place and seed. */
export function pattern(length: number, seed: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let index = 0; index < length; index++)
    bytes[index] = (index * 31 + (index >> 8) * 7 + seed * 101) & 0xff;
  return bytes;
}

/** A session on a read-only export. */
export async function enterReadOnly(bench: Bench): Promise<Session> {
  const name = bench.readOnlyName ?? bench.exportName;
  const session = await enterTransmission(await bench.haggle(), { name });
  demand((session.facts.flags & 2) !== 0, `the export “${name}” is not read-only`);
  return session;
}
