import type { Random } from "@cev/test-kit";
import { structuresOf } from "./structures.ts";
import type { Field, Structure } from "./structures.ts";
import type { Shape } from "../shape.ts";

/**
 * How far a damage goes. `torn`: one member, and its checksum tells. `one`: one member, with a right checksum. `all`: every
 * member the same, with right checksums, as an attacker would.
 */
export type Scope = "torn" | "one" | "all";

/** What is done to the metadata of an array. */
export interface Damage {
  readonly scope: Scope;
  readonly structure: Structure;
  /** The field that is hit, or all of which something was hit; "" outside of all fields. */
  readonly fields: readonly string[];
  /** Of the one member; with `all` without meaning. */
  readonly member: number;
  /** Changes the bytes of the structure, checksum left alone. */
  readonly change: (bytes: Uint8Array) => void;
  /** Enough to find it again. */
  readonly title: string;
}

const EXTREMES: readonly bigint[] = [
  0n,
  1n,
  2n,
  3n,
  7n,
  8n,
  63n,
  64n,
  127n,
  128n,
  255n,
  256n,
  0xfff0n,
  0xfffen,
  0xffffn,
  0x1_0000n,
  2n ** 31n - 1n,
  2n ** 31n,
  2n ** 32n - 2n,
  2n ** 32n - 1n,
  2n ** 32n,
  2n ** 53n - 1n,
  2n ** 53n,
  2n ** 54n,
  2n ** 62n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 2n,
  2n ** 64n - 1n,
];

const SCOPES: readonly Scope[] = ["torn", "one", "all"];

/** Every bit of every structure, in every scope, and every field with every extreme. `member`: the one that is hit alone. */
export function* allDamages(shape: Shape, member: number): Generator<Damage, void, void> {
  for (const structure of structuresOf(shape)) {
    for (const scope of SCOPES) {
      if (scope === "torn" && structure.name !== "superblock") continue;
      for (let bit = 0; bit < structure.length * 8; bit++) yield flipped(structure, scope, member, bit);
      if (scope === "torn") continue;
      for (const field of structure.fields)
        for (const value of EXTREMES)
          if (value < 2n ** BigInt(8 * field.length)) yield set(structure, scope, member, [{ field, value }]);
    }
  }
}

/** One of all, or several fields at once with extremes or anything. */
export function randomDamage(shape: Shape, random: Random): Damage {
  const structure = random.pick(structuresOf(shape));
  const scope = random.pick(structure.name === "superblock" ? SCOPES : SCOPES.slice(1));
  const member = random.below(shape.memberCount);
  if (random.chance(0.4)) return flipped(structure, scope, member, random.below(structure.length * 8));
  const count = random.chance(0.5) ? 1 : random.between(2, 5);
  const changes = Array.from({ length: count }, () => {
    const field = random.pick(structure.fields);
    const bits = BigInt(Math.min(64, 8 * field.length));
    const near = BigInt(random.between(-2, 2));
    const value = random.chance(0.5)
      ? random.pick(EXTREMES) + near
      : BigInt(random.next()) << BigInt(random.below(40));
    return { field, value: BigInt.asUintN(Number(bits), value) };
  });
  return set(structure, scope === "torn" ? "one" : scope, member, changes);
}

function flipped(structure: Structure, scope: Scope, member: number, bit: number): Damage {
  const at = bit >>> 3;
  const hit = structure.fields.find((field) => at >= field.at && at < field.at + field.length);
  return {
    scope,
    structure,
    fields: hit === undefined ? [] : [hit.name],
    member,
    title: `${structure.name} ${scope} d${member}: bit ${bit & 7} of byte ${at} (${hit?.name ?? "no field"})`,
    change(bytes) {
      bytes[at]! ^= 1 << (bit & 7);
    },
  };
}

function set(
  structure: Structure,
  scope: Scope,
  member: number,
  changes: readonly { readonly field: Field; readonly value: bigint }[],
): Damage {
  const text = changes.map(({ field, value }) => `${field.name}=${value}`).join(", ");
  return {
    scope,
    structure,
    fields: changes.map(({ field }) => field.name),
    member,
    title: `${structure.name} ${scope} d${member}: ${text}`,
    change(bytes) {
      for (const { field, value } of changes)
        for (let index = 0; index < Math.min(8, field.length); index++)
          bytes[field.at + index] = Number((value >> BigInt(8 * index)) & 0xffn);
    },
  };
}
