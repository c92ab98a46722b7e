import type { Random } from "../../src/random.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

const NUMBERS = [
  "0",
  "-1",
  "1",
  "4095",
  "4096",
  "16384",
  "2147483648",
  "9007199254740993",
  "18446744073709551615",
];
const STRINGS = [
  ...[
    ...NUMBERS,
    "",
    " 1",
    "01",
    "1e3",
    "dynamic",
    "linear",
    "crypt",
    "luks2",
    "raw",
    "none",
    "sha256",
    "md5",
  ],
  ...["aes-xts-plain64", "aes-ecb", "null", "cipher_null-ecb", "capi:xts(aes)-plain64", "pbkdf2", "argon2id"],
  ...["__proto__", "constructor", "\u0000", "\u001b[31m", "\ud800", "AAAA", "====", "x".repeat(2000)],
];

/** A JSON text with one to three things wrong in it, by the grammar or, now and then, against it. */
export function damageJson(text: string, random: Random): string {
  if (random.below(6) === 0) return breakText(text, random);
  const root = JSON.parse(text) as Json;
  for (let count = 1 + random.below(3); count > 0; count--) damageValue(root, random);
  const damaged = JSON.stringify(root);
  return random.below(10) === 0 ? doubleKey(damaged, random) : damaged;
}

function damageValue(root: Json, random: Random): void {
  const places = [...objectsOf(root)];
  const place = random.pick(places);
  const keys = Object.keys(place);
  const key = keys.length === 0 ? "0" : random.pick(keys);
  const object = place as { [key: string]: Json };
  switch (random.below(7)) {
    case 0:
      if (Array.isArray(place)) place.pop();
      else Reflect.deleteProperty(object, key);
      break;
    case 1:
      object[random.pick(["0", "1", "7", "31", "32", "99", "-1", "x", "type", "__proto__"])] =
        structuredClone(object[key] ?? null);
      break;
    case 2:
      object[key] = structuredClone(random.pick(places));
      break;
    case 3:
      object[key] = deep(random.pick([3, 40, 600]));
      break;
    default:
      object[key] = anyValue(random);
  }
}

function anyValue(random: Random): Json {
  switch (random.below(6)) {
    case 0:
      return Number(random.pick(NUMBERS));
    case 1:
      return random.pick<Json>([
        null,
        true,
        false,
        [],
        {},
        [[]],
        ["0"],
        ["0", "0"],
        ["1"],
        { "0": {} },
        0.5,
        -0,
      ]);
    default:
      return random.pick(STRINGS);
  }
}

/** Every object and array in it. */
function* objectsOf(value: Json): Generator<Json[] | { [key: string]: Json }> {
  if (typeof value !== "object" || value === null) return;
  yield value;
  for (const one of Object.values(value)) yield* objectsOf(one);
}

function deep(levels: number): Json {
  let value: Json = "deep";
  for (let level = 0; level < levels; level++) value = [value];
  return value;
}

function doubleKey(text: string, random: Random): string {
  const key = random.pick(["keyslots", "segments", "digests", "config", "tokens"]);
  return text.replace("{", `{"${key}":{},`);
}

function breakText(text: string, random: Random): string {
  const at = random.below(text.length);
  switch (random.below(5)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1 + random.below(20));
    case 2:
      return (
        text.slice(0, at) + random.pick(["{", "}", "[", '"', ",", "\\", "\u0000", "9", "-"]) + text.slice(at)
      );
    case 3:
      return `${text}${random.pick([" ", "}", "{}", "x", "\n", "["])}`;
    default:
      return text.slice(0, at) + text.slice(random.below(text.length));
  }
}
