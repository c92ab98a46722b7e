import type { Layer } from "@cev/core";
import {
  luksAddKey,
  luksChangeKey,
  luksConfig,
  luksConvert,
  luksConvertKey,
  luksErase,
  luksFormat,
  luksHeaderBackup,
  luksHeaderRestore,
  luksKillSlot,
  luksRemoveKey,
  luksRepair,
  luksUuid,
  tokenImport,
  tokenRemove,
} from "@cev/crypt";
import { environment } from "../exchange/device.ts";
import { GappedLayer } from "../exchange/gapped-layer.ts";
import { COST, KEYS } from "./start.ts";

/** The passphrases of a scene: in keyslot 0 and 1 of the device as it was, and the one that comes new. */
export type KeyName = "first" | "second" | "fresh";

/** What an operation may need beside the device. */
export interface SceneContext {
  readonly version: 1 | 2;
  /** The device as it was before `prepare`. */
  readonly backup: Uint8Array;
}

/** One operation on the header of a LUKS device, cut short. */
export interface Scene {
  readonly name: string;
  readonly versions: readonly (1 | 2)[];
  /** What happens to the device before; gives what `run` gets as the backup. */
  readonly prepare?: (device: Uint8Array) => Promise<Uint8Array>;
  readonly run: (device: Layer, context: SceneContext) => Promise<unknown>;
  /** What has to be done after a power cut before the next operation. Default: nothing. */
  readonly repair?: (device: Layer) => Promise<unknown>;
  /** Whether one of the two copies of a LUKS2 header is whole after every cut. */
  readonly keepsCopies: boolean;
  /** Passphrases that open after every cut. */
  readonly kept: readonly KeyName[];
  /** Of these at least one opens after every cut. */
  readonly oneOf: readonly KeyName[];
  /** Those that open in the end. */
  readonly after: readonly KeyName[];
}

const TOKEN = JSON.stringify({ type: "a-type", keyslots: [], data: "some" });
const OTHER_UUID = "00112233-4455-4677-8899-aabbccddeeff";
const BOTH = [1, 2] as const;
const common = { environment };

/** Every operation that changes a header. */
export const SCENES: readonly Scene[] = [
  {
    name: "luksFormat",
    versions: BOTH,
    run: (device, { version }) =>
      luksFormat(device, {
        ...common,
        keys: [KEYS.fresh],
        version,
        cost: COST,
        keySize: 32,
        dataOffset: 2 ** 21,
      }),
    // What is made anew is to be lost: but it is never half of one and half of the other.
    keepsCopies: false,
    kept: [],
    oneOf: [],
    after: ["fresh"],
  },
  {
    name: "luksAddKey",
    versions: BOTH,
    run: (device) => luksAddKey(device, { ...common, keys: [KEYS.first], newKey: KEYS.fresh, cost: COST }),
    keepsCopies: true,
    kept: ["first", "second"],
    oneOf: [],
    after: ["first", "second", "fresh"],
  },
  {
    name: "luksChangeKey",
    versions: BOTH,
    run: (device) => luksChangeKey(device, { ...common, key: KEYS.second, newKey: KEYS.fresh, cost: COST }),
    keepsCopies: true,
    kept: ["first"],
    oneOf: ["second", "fresh"],
    after: ["first", "fresh"],
  },
  {
    name: "luksChangeKey of one keyslot",
    versions: BOTH,
    run: (device) =>
      luksChangeKey(device, { ...common, key: KEYS.second, keyslot: 1, newKey: KEYS.fresh, cost: COST }),
    keepsCopies: true,
    kept: ["first"],
    oneOf: ["second", "fresh"],
    after: ["first", "fresh"],
  },
  {
    name: "luksConvertKey",
    versions: BOTH,
    run: (device) =>
      luksConvertKey(device, { ...common, key: KEYS.second, cost: { ...COST, iterations: 1200 } }),
    keepsCopies: true,
    kept: ["first", "second"],
    oneOf: [],
    after: ["first", "second"],
  },
  {
    name: "luksRemoveKey",
    versions: BOTH,
    run: (device) => luksRemoveKey(device, { ...common, key: KEYS.second }),
    keepsCopies: true,
    kept: ["first"],
    oneOf: [],
    after: ["first"],
  },
  {
    name: "luksKillSlot",
    versions: BOTH,
    run: (device) => luksKillSlot(device, { ...common, keyslot: 0, keys: [KEYS.second] }),
    keepsCopies: true,
    kept: ["second"],
    oneOf: [],
    after: ["second"],
  },
  {
    name: "luksErase",
    versions: BOTH,
    run: (device) => luksErase(device, common),
    keepsCopies: true,
    kept: [],
    oneOf: [],
    after: [],
  },
  {
    ...unchanged("luksUuid", BOTH, (device) => luksUuid(device, { ...common, uuid: OTHER_UUID })),
    // Two copies with two UUIDs could be of two devices: which this is has to be said before anything else is changed.
    repair: (device) => luksRepair(device, { ...common, uuid: OTHER_UUID }),
  },
  unchanged("luksConfig of labels", [2], (device) =>
    luksConfig(device, { ...common, label: "a label", subsystem: "a subsystem", flags: ["allow-discards"] }),
  ),
  unchanged("luksConfig of a priority", [2], (device) =>
    luksConfig(device, { ...common, keyslot: 1, priority: "prefer" }),
  ),
  unchanged("tokenImport", [2], (device) => tokenImport(device, { ...common, json: TOKEN, keyslots: [0] })),
  {
    ...unchanged("tokenRemove", [2], (device) => tokenRemove(device, { ...common, id: 0 })),
    prepare: async (device) => {
      await onDevice(device, (layer) => tokenImport(layer, { ...common, json: TOKEN }));
      return device;
    },
  },
  {
    ...unchanged("luksConvert to LUKS2", [1], (device) => luksConvert(device, { ...common, to: 2 })),
    keepsCopies: false,
  },
  {
    ...unchanged("luksConvert to LUKS1", [2], (device) => luksConvert(device, { ...common, to: 1 })),
    keepsCopies: false,
  },
  {
    ...unchanged("luksRepair", [2], (device) => luksRepair(device, common)),
    // The first copy is damaged.
    prepare: (device) => {
      device.fill(0xff, 300, 400);
      return Promise.resolve(device);
    },
  },
  {
    name: "luksHeaderRestore",
    versions: BOTH,
    prepare: async (device) => {
      const before = device.slice();
      const change = { ...common, key: KEYS.second, newKey: KEYS.fresh, cost: COST };
      await onDevice(device, (layer) => luksChangeKey(layer, change));
      return before;
    },
    run: async (device, { backup }) => {
      const file = await backupOf(backup);
      const read = (offset: number, length: number): Promise<Uint8Array> =>
        Promise.resolve(file.slice(offset, offset + length));
      await luksHeaderRestore(device, { ...common, backup: { name: "backup", size: file.length, read } });
    },
    keepsCopies: true,
    // A restore puts every keyslot back, one after the other.
    kept: [],
    oneOf: ["first", "second", "fresh"],
    after: ["first", "second"],
  },
];

/** An operation that no passphrase is touched by. */
function unchanged(name: string, versions: Scene["versions"], run: Scene["run"]): Scene {
  const both = ["first", "second"] as const;
  return { name, versions, run, keepsCopies: true, kept: both, oneOf: [], after: both };
}

async function onDevice(device: Uint8Array, work: (layer: Layer) => Promise<unknown>): Promise<void> {
  const layer = new GappedLayer(device, null);
  await layer.open();
  await work(layer);
  await layer.close();
}

async function backupOf(device: Uint8Array): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  await onDevice(device, async (layer) => {
    for await (const piece of luksHeaderBackup(layer, common)) pieces.push(piece);
  });
  return Buffer.concat(pieces);
}
