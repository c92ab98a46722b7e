/** What validators of options demand beside their JSON Schemas: what those cannot express, or only at length. */
import fc from "fast-check";
import type { Given } from "./json-schema.ts";

/** One demand, of options that fit the JSON Schema. */
export interface OptionRule {
  readonly says: string;
  /** Null: this cannot be said here, and nothing is expected. */
  readonly isKept: (options: unknown) => boolean | null;
}

export interface DriverRules {
  readonly rules: readonly OptionRule[];
  /** Values that the rules are about, so that many keep them. */
  readonly given: Given;
}

const NONE: DriverRules = { rules: [], given: {} };

export const rulesOf = (driver: string): DriverRules => RULES[driver] ?? NONE;

/** What stands at a place; undefined: nothing does. */
function at(value: unknown, ...keys: readonly string[]): unknown {
  let found = value;
  for (const key of keys)
    found =
      typeof found === "object" && found !== null
        ? (found as Readonly<Record<string, unknown>>)[key]
        : undefined;
  return found;
}

const isPower = (value: unknown): boolean => Number.isInteger(Math.log2(Number(value)));
const power = (from: number, to: number): fc.Arbitrary<number> =>
  fc.integer({ min: from, max: to }).map((exponent) => 2 ** exponent);
const isMultiple = (value: unknown, of: unknown): boolean => Number(value) % Number(of) === 0;
const NAME = fc.stringMatching(/^[a-z]{1,8}$/);

const SAMPLE_VOLUME = {
  type: "raid5_ls",
  memberCount: 3,
  members: [0, null, 2],
  chunkSize: 65_536,
  regionSize: 2_097_152,
  metadataSize: 1_048_576,
  memberSize: 4_194_304,
  size: 8_388_608,
};

const WRONG_VOLUME = { ...SAMPLE_VOLUME, memberCount: 4 };

const LAYOUTS = [
  { level: 5 },
  { level: "raid6", layout: "left-symmetric" },
  { level: "raid10", layout: "n2" },
  { level: "raid1", name: "x", bitmap: "internal", bitmapChunkSize: 65_536, assumeClean: true },
  { level: 4, chunkSize: 65_536, size: 1_048_576, spareCount: 1, metadata: "1.0" },
];

const snapshotNames = (options: unknown): unknown[] =>
  ((at(options, "snapshots") ?? []) as readonly unknown[]).map((one) => at(one, "name"));

const RULES: Readonly<Record<string, DriverRules>> = {
  "@cev/hw-file": {
    given: { path: NAME },
    rules: [
      {
        says: "what is made needs a size, and is not read-only",
        isKept: (options) =>
          at(options, "create") !== true ||
          (at(options, "size") !== undefined && at(options, "readOnly") !== true),
      },
    ],
  },
  "@cev/hw-ramdisk": {
    given: {
      blockSize: fc.oneof(power(0, 16), fc.integer({ min: 1, max: 65_536 })),
      size: fc.oneof(power(9, 30), fc.nat()),
    },
    rules: [
      {
        says: "a block is a power of two, and the size a multiple of it",
        isKept: (options) => {
          const blockSize = at(options, "blockSize") ?? 512;
          return isPower(blockSize) && isMultiple(at(options, "size"), blockSize);
        },
      },
    ],
  },
  "@cev/nbd": {
    given: { uri: fc.constantFrom("nbd://host/x", "nbds://host:1000", "nbd+unix:///x?socket=s") },
    rules: [
      {
        says: "the URI names a server and an export",
        isKept: (options) => String(at(options, "uri")).startsWith("nbd"),
      },
    ],
  },
  "@cev/raid": {
    given: {
      create: fc.constantFrom<unknown>(...LAYOUTS),
      dmRaid: fc.constantFrom<unknown>(SAMPLE_VOLUME, WRONG_VOLUME),
    },
    rules: [
      {
        says: "a volume of LVM is neither made nor looked for by a UUID",
        isKept: (options) =>
          at(options, "dmRaid") === undefined || (at(options, "create") ?? at(options, "uuid")) === undefined,
      },
      {
        says: "what is made has a level and a layout that there are",
        isKept: (options) => {
          const made = at(options, "create");
          return made === undefined || LAYOUTS.some((one) => one === made) ? true : null;
        },
      },
      {
        says: "the numbers of a volume of LVM fit one another",
        isKept: (options) => {
          const volume = at(options, "dmRaid");
          if (volume === undefined || volume === SAMPLE_VOLUME) return true;
          return volume === WRONG_VOLUME ? false : null;
        },
      },
    ],
  },
  "@cev/crypt": {
    given: { "plain.hash": fc.constantFrom("sha256", "sha512:16", "plain"), "plain.size": power(9, 40) },
    rules: [
      {
        says: "a part of a key file is one of a key file",
        isKept: (options) =>
          at(options, "keyFile") !== undefined ||
          (at(options, "keyFileOffset") ?? at(options, "keyFileSize")) === undefined,
      },
      {
        says: "a plain device has no header, no keyslots, and a hash for its passphrase",
        isKept: (options) =>
          at(options, "plain") === undefined ||
          ((at(options, "keyslot") ?? at(options, "version")) === undefined &&
            (at(options, "passphrase") === undefined || at(options, "plain", "hash") !== undefined)),
      },
      {
        says: "places and sizes of a plain device are multiples of its sectors",
        isKept: (options) => {
          const unit = at(options, "plain", "sectorSize") ?? 512;
          return (
            isMultiple(at(options, "plain", "skip") ?? 0, unit) &&
            isMultiple(at(options, "plain", "size") ?? 0, unit)
          );
        },
      },
    ],
  },
  "@cev/snapshot": {
    given: {
      "snapshots[].name": NAME,
      "snapshots[].chunkSize": fc.oneof(power(9, 24), fc.integer({ min: 512, max: 1e6 })),
    },
    rules: [
      {
        says: "chunks are powers of two",
        isKept: (options) =>
          ((at(options, "snapshots") ?? []) as readonly unknown[]).every((one) =>
            isPower(at(one, "chunkSize") ?? 512),
          ),
      },
      {
        says: "no two have one name, and at most one is being merged",
        isKept: (options) => {
          const names = snapshotNames(options);
          const merging = ((at(options, "snapshots") ?? []) as readonly unknown[]).filter(
            (one) => at(one, "isMerging") === true,
          );
          return new Set(names).size === names.length && merging.length <= 1;
        },
      },
    ],
  },
};
