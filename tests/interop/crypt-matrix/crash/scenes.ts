import type { Layer } from "@cev/core";
import {
  luksAddKey,
  luksChangeKey,
  luksConvertKey,
  luksErase,
  luksFormat,
  luksKillSlot,
  luksRemoveKey,
} from "@cev/crypt";
import { environment } from "../exchange/device.ts";
import { COST, KEYS } from "./start.ts";

/** The passphrases of a scene: in keyslot 0 and 1 of the device as it was, and the one that comes new. */
export type KeyName = "first" | "second" | "fresh";

/** One operation on the header of a LUKS device, cut short. */
export interface Scene {
  readonly name: string;
  readonly versions: readonly (1 | 2)[];
  /** What happens to the device before. */
  readonly prepare?: (device: Uint8Array) => void;
  readonly run: (device: Layer, version: 1 | 2) => Promise<unknown>;
  /** Passphrases that open after every cut. */
  readonly kept: readonly KeyName[];
  /** Of these at least one opens after every cut. */
  readonly oneOf: readonly KeyName[];
  /** Those that open in the end. */
  readonly after: readonly KeyName[];
}

const BOTH = [1, 2] as const;
const common = { environment };

/** Every operation that changes a header. */
export const SCENES: readonly Scene[] = [
  {
    name: "luksFormat",
    versions: BOTH,
    run: (device, version) =>
      luksFormat(device, {
        ...common,
        keys: [KEYS.fresh],
        version,
        cost: COST,
        keySize: 32,
        dataOffset: 2 ** 21,
      }),
    // What is made anew is to be lost: but it is never half of one and half of the other.
    kept: [],
    oneOf: [],
    after: ["fresh"],
  },
  {
    name: "luksAddKey",
    versions: BOTH,
    run: (device) => luksAddKey(device, { ...common, keys: [KEYS.first], newKey: KEYS.fresh, cost: COST }),
    kept: ["first", "second"],
    oneOf: [],
    after: ["first", "second", "fresh"],
  },
  {
    name: "luksChangeKey",
    versions: BOTH,
    run: (device) => luksChangeKey(device, { ...common, key: KEYS.second, newKey: KEYS.fresh, cost: COST }),
    kept: ["first"],
    oneOf: ["second", "fresh"],
    after: ["first", "fresh"],
  },
  {
    name: "luksChangeKey of one keyslot",
    versions: BOTH,
    run: (device) =>
      luksChangeKey(device, { ...common, key: KEYS.second, keyslot: 1, newKey: KEYS.fresh, cost: COST }),
    kept: ["first"],
    oneOf: ["second", "fresh"],
    after: ["first", "fresh"],
  },
  {
    name: "luksConvertKey",
    versions: BOTH,
    run: (device) =>
      luksConvertKey(device, { ...common, key: KEYS.second, cost: { ...COST, iterations: 1200 } }),
    kept: ["first", "second"],
    oneOf: [],
    after: ["first", "second"],
  },
  {
    name: "luksRemoveKey",
    versions: BOTH,
    run: (device) => luksRemoveKey(device, { ...common, key: KEYS.second }),
    kept: ["first"],
    oneOf: [],
    after: ["first"],
  },
  {
    name: "luksKillSlot",
    versions: BOTH,
    run: (device) => luksKillSlot(device, { ...common, keyslot: 0, keys: [KEYS.second] }),
    kept: ["second"],
    oneOf: [],
    after: ["second"],
  },
  {
    name: "luksErase",
    versions: BOTH,
    run: (device) => luksErase(device, common),
    kept: [],
    oneOf: [],
    after: [],
  },
];
