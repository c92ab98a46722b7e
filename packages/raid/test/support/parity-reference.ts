import type { Geometry } from "../../src/levels/level.ts";
import { stripeLayout } from "../../src/levels/levels.ts";
import { StripeMap } from "../../src/levels/stripe.ts";
import type { EngineBench } from "./engine-bench.ts";

/** The product of two bytes in md's field, GF(2^8) over x^8 + x^4 + x^3 + x^2 + 1, bit by bit. */
function multiply(left: number, right: number): number {
  let product = 0;
  let shifted = left;
  for (let rest = right; rest > 0; rest >>= 1) {
    if ((rest & 1) === 1) product ^= shifted;
    shifted = shifted < 128 ? shifted << 1 : (shifted << 1) ^ 0x11d;
  }
  return product;
}

function power(exponent: number): number {
  let value = 1;
  for (let count = 0; count < exponent; count++) value = multiply(value, 2);
  return value;
}

// A table for each exponent in use, so that a whole array is looked at in milliseconds.
const TABLES = new Map<number, Uint8Array>();

function tableOf(exponent: number): Uint8Array {
  let table = TABLES.get(exponent);
  if (table === undefined) {
    const factor = power(exponent);
    table = Uint8Array.from({ length: 256 }, (_, value) => multiply(value, factor));
    TABLES.set(exponent, table);
  }
  return table;
}

export function mapOf({ level, layout, chunkSize, memberCount }: Geometry): StripeMap {
  return new StripeMap({ layout: stripeLayout(level, layout)!, chunkSize, memberCount });
}

/**
 * What is wrong with the parity, byte by byte: "stripe 3: P". Takes the members' data; of members in `without` nothing is
 * looked at.
 */
export function wrongParity(
  geometry: Geometry,
  dataOf: (member: number) => Uint8Array,
  without: readonly number[] = [],
): string[] {
  const map = mapOf(geometry);
  const { chunkSize, dataCount } = map;
  const wrong: string[] = [];
  const stripeCount = Math.floor(geometry.memberSizes[0]! / chunkSize);
  for (let stripe = 0; stripe < stripeCount; stripe++) {
    const columns = Array.from({ length: dataCount }, (_, column) => map.dataMember(stripe, column));
    if (columns.some((member) => without.includes(member))) continue;
    const p = new Uint8Array(chunkSize);
    const q = new Uint8Array(chunkSize);
    for (const [column, member] of columns.entries()) {
      const data = dataOf(member).subarray(stripe * chunkSize, (stripe + 1) * chunkSize);
      const table = map.parityCount === 2 ? tableOf(map.qExponent(stripe, column)) : null;
      for (let row = 0; row < chunkSize; row++) {
        p[row]! ^= data[row]!;
        if (table !== null) q[row]! ^= table[data[row]!]!;
      }
    }
    const parities: [string, number, Uint8Array][] = [["P", map.parityMember(stripe), p]];
    if (map.parityCount === 2) parities.push(["Q", map.qMember(stripe), q]);
    for (const [name, member, right] of parities) {
      if (without.includes(member)) continue;
      const held = dataOf(member).subarray(stripe * chunkSize, (stripe + 1) * chunkSize);
      if (Buffer.compare(held, right) !== 0) wrong.push(`stripe ${stripe}: ${name}`);
    }
  }
  return wrong;
}

/** Every set of at most so many of some members, the empty one first. */
export function setsOf(memberCount: number, countMax: number): number[][] {
  const sets: number[][] = [[]];
  for (let first = 0; first < memberCount; first++) {
    sets.push([first]);
    for (let second = first + 1; countMax > 1 && second < memberCount; second++) sets.push([first, second]);
  }
  return sets;
}

/** Rebuilds what is being rebuilt, from the first byte to the last, and takes it in. */
export async function rebuild(bench: EngineBench): Promise<void> {
  const { engine, array } = bench;
  const size = engine.syncSize;
  for (let at = 0; at < size; at += engine.syncStep) {
    const end = Math.min(at + engine.syncStep, size);
    await engine.recoverSlice(at, end);
    for (const member of array.members)
      if (member.state === "rebuilding") member.recoveredTo = Math.max(member.recoveredTo, end);
  }
  for (const member of array.members) if (member.state === "rebuilding") member.recovered();
}
