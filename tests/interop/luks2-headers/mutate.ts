import type { Random } from "@cev/test-kit";
import { placesOf, removeAt, setAt, textOf, treeOf, valueAt } from "./json-tree.ts";
import type { JsonTree, Place } from "./json-tree.ts";

/** Values that one or another check could take for what they are not. */
const VALUES: readonly string[] = [
  ..."null true false 0 1 -1 -0 2 3 512 513 4096 65536 1.0 1.5 1e3 1E400 -1e-400".split(" "),
  ..."4294967295 4294967296 9007199254740993 9223372036854775807 9223372036854775808 18446744073709551616".split(
    " ",
  ),
  ...[
    "",
    "0",
    "00",
    "1",
    "31",
    "32",
    "-1",
    "+1",
    " 1",
    "1 ",
    "0x10",
    "512",
    "4096",
    "12288",
    "012288",
    "32768",
    "131072",
    "163840",
    "1048576",
    "4294967296",
    "9223372036854775808",
    "18446744073709551104",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999",
    "dynamic",
    "luks2",
    "reencrypt",
    "crypt",
    "linear",
    "raw",
    "none",
    "checksum",
    "datashift",
    "luks1",
    "pbkdf2",
    "argon2id",
    "backup-final",
    "backup-previous",
    "backup-x",
    "in-reencryption",
    "online-reencrypt",
    "online-reencrypt-v2",
    "online-reencrypt-v77",
    "offline-reencrypt",
    "é\u{1f600}",
    'a/b\\c"d',
  ].map((text) => JSON.stringify(text)),
  "[]",
  "{}",
  '["0"]',
  '["0","0"]',
  '["7"]',
  "[0]",
  '{"0":{}}',
  '{"type":"x"}',
];

const NAMES: readonly string[] = [
  "",
  "0",
  "1",
  "2",
  "31",
  "32",
  "00",
  "x",
  "-1",
  "type",
  "flags",
  "requirements",
  "mandatory",
  "integrity",
  "priority",
  "keyslots",
  "segments",
  "offset",
  "size",
  "area",
  "__proto__",
  "constructor",
];

/** The text of a header's metadata with one to three changes made by chance. */
export function mutatedText(base: string, random: Random): string {
  const root = treeOf(JSON.parse(base));
  const changes = random.between(1, 3);
  for (let change = 0; change < changes; change++) changeSomewhere(root, random);
  return textOf(root);
}

function changeSomewhere(root: JsonTree, random: Random): void {
  const places = placesOf(root);
  if (places.length === 0) return;
  const place = random.pick(places);
  const other = random.pick(places);
  switch (random.below(9)) {
    case 0:
      return removeAt(place);
    case 1:
    case 2:
    case 3:
      return setAt(place, { raw: random.pick(VALUES) });
    case 4:
      return setAt(place, copyOf(valueAt(other)));
    case 5:
      return addMember(place, random, copyOf(valueAt(other)));
    case 6:
      return addMember(place, random, { raw: random.pick(VALUES) });
    case 7:
      return rename(place, random.pick(NAMES));
    default:
      return nudge(place, random);
  }
}

function copyOf(tree: JsonTree): JsonTree {
  return structuredClone(tree);
}

/** Beside the place; now and then with a name that is there already. */
function addMember({ holder }: Place, random: Random, value: JsonTree): void {
  if ("items" in holder) holder.items.push(value);
  else {
    const taken = holder.members.map(([name]) => name);
    holder.members.push([random.pick(random.chance(0.3) && taken.length > 0 ? taken : NAMES), value]);
  }
}

function rename({ holder, index }: Place, name: string): void {
  if ("members" in holder) holder.members[index] = [name, holder.members[index]![1]];
}

/** Adds to a number, or to one in a string. */
function nudge(place: Place, random: Random): void {
  const value = valueAt(place);
  if (!("raw" in value)) return;
  const digits = /^("?)([0-9]+)"?$/.exec(value.raw);
  if (digits === null) return;
  const step = random.pick([1n, -1n, 256n, 512n, -512n, 4096n, -4096n, 131_072n]);
  const sum = BigInt(digits[2]!) + step;
  setAt(place, { raw: `${digits[1]!}${sum}${digits[1]!}` });
}
