import type { Random } from "../../src/random.ts";
import { putText, structuresOf, textOf } from "./structures.ts";
import type { Structure } from "./structures.ts";

/** One thing done to the metadata of a group. */
export interface Damage {
  readonly title: string;
  readonly structure: Structure["name"];
  /** One physical volume (the first with such a structure), or all. */
  readonly scope: "one" | "all";
  /** Checksums were made right again: only what is said is wrong. */
  readonly isSealed: boolean;
  /** The physical volumes that it hits. */
  readonly hits: readonly number[];
  apply(images: readonly Uint8Array[]): void;
}

/** Every byte of every structure, flipped; `pick` says which of the many are wanted. */
export function flips(images: readonly Uint8Array[], pick: (index: number) => boolean): Damage[] {
  const structures = images.map((bytes, index) => structuresOf(bytes, `pv${index}`));
  const damages: Damage[] = [];
  let count = 0;
  for (const name of ["label", "area header", "text"] as const) {
    const having = structures.flatMap((own, index) => (own.some((one) => one.name === name) ? [index] : []));
    const [first] = having;
    if (first === undefined) continue;
    const longest = Math.max(
      ...having.map((index) => structures[index]!.find((one) => one.name === name)!.places.length),
    );
    for (let at = 0; at < longest; at++) {
      for (const scope of ["one", "all"] as const) {
        for (const isSealed of [false, true]) {
          if (!pick(count++)) continue;
          const hits = scope === "one" ? [first] : having;
          damages.push({
            title: `${name}, byte ${at} flipped on ${scope}${isSealed ? ", checksums made right" : ""}`,
            structure: name,
            scope,
            isSealed,
            hits,
            apply(on) {
              for (const index of hits)
                for (const structure of structures[index]!) {
                  const place = structure.places[at];
                  if (structure.name !== name || place === undefined) continue;
                  on[index]![place]! ^= 1 << (at % 8);
                  if (isSealed) structure.seal(on[index]!);
                }
            },
          });
        }
      }
    }
  }
  return damages;
}

const NUMBERS = ["0", "-1", "1", "7", "4294967296", "1152921504606846976", "9".repeat(400)];

/** The group's text with one word or line changed, put on every physical volume that has a text, with right checksums. */
export function rewrites(images: readonly Uint8Array[], random: Random, count: number): Damage[] {
  const texts = images.flatMap((bytes, index) => {
    const text = structuresOf(bytes, `pv${index}`).find(({ name }) => name === "text");
    return text === undefined ? [] : [{ index, text }];
  });
  const [first] = texts;
  if (first === undefined) return [];
  const text = textOf(images[first.index]!, first.text);
  const hits = texts.map(({ index }) => index);
  return Array.from({ length: count }, () => {
    const { title, changed } = change(text, random);
    return {
      title,
      structure: "text" as const,
      scope: "all" as const,
      isSealed: true,
      hits,
      apply(on) {
        for (const index of hits) putText(on[index]!, Buffer.from(`${changed}\0`, "latin1"));
      },
    };
  });
}

function change(text: string, random: Random): { readonly title: string; readonly changed: string } {
  const lines = text.split("\n");
  const at = random.below(lines.length);
  const line = lines[at]!;
  switch (random.below(6)) {
    case 0:
      return { title: `line ${at + 1} left out: ${line}`, changed: lines.toSpliced(at, 1).join("\n") };
    case 1:
      return { title: `line ${at + 1} doubled: ${line}`, changed: lines.toSpliced(at, 0, line).join("\n") };
    case 2: {
      const words = text.match(/"[^"\n]*"/g) ?? ['""'];
      const other = random.pick(words);
      return replaceOne(text, /"[^"\n]*"/g, other, random);
    }
    case 3: {
      const [a, b] = [random.below(lines.length), random.below(lines.length)];
      const swapped = lines.with(a, lines[b]!).with(b, lines[a]!);
      return { title: `lines ${a + 1} and ${b + 1} exchanged`, changed: swapped.join("\n") };
    }
    default:
      return replaceOne(text, /(?<== |\[|, )-?\d+/g, random.pick(NUMBERS), random);
  }
}

function replaceOne(
  text: string,
  pattern: RegExp,
  by: string,
  random: Random,
): { readonly title: string; readonly changed: string } {
  const found = [...text.matchAll(pattern)];
  const { index, 0: word } = random.pick(found);
  const lineStart = text.lastIndexOf("\n", index) + 1;
  const line = text.slice(lineStart, text.indexOf("\n", index));
  return {
    title: `${word} became ${by.slice(0, 40)} in the line: ${line}`,
    changed: `${text.slice(0, index)}${by}${text.slice(index + word.length)}`,
  };
}
