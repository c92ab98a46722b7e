import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { luksAddKey, luksFormat } from "@cev/crypt";
import { Device } from "@cev/core";
import { environment, openByDriver } from "../exchange/device.ts";
import { GappedLayer } from "../exchange/gapped-layer.ts";
import { output } from "../../src/run.ts";
import type { KeyName } from "./scenes.ts";

const DATA_OFFSET = 2 * 1024 * 1024;
const DATA_LENGTH = 64 * 1024;
const KEY_SIZE = 32;

export const COST = { type: "pbkdf2", hash: "sha256", iterations: 1000 } as const;

export const KEYS: Readonly<Record<KeyName, Uint8Array>> = {
  first: Buffer.from("the first passphrase"),
  second: Buffer.from("the second passphrase"),
  fresh: Buffer.from("the fresh passphrase"),
};

/** Who made the header that is changed. */
export const MAKERS = ["cryptsetup", "cev"] as const;
export type Maker = (typeof MAKERS)[number];

/** A device with the first two passphrases, and bytes that are the same in every run. */
export async function makeStart(maker: Maker, version: 1 | 2, folder: string): Promise<Uint8Array> {
  const device = maker === "cev" ? await madeByCev(version) : await madeByCryptsetup(version, folder);
  const opened = await openDevice(device, KEYS.first, false);
  await opened.write(0, CONTENT);
  await opened.close();
  return device;
}

/** What the plaintext holds. */
export const CONTENT: Uint8Array = Uint8Array.from(
  { length: DATA_LENGTH },
  (_, at) => (at * 7 + (at >> 8)) & 0xff,
);

export async function openDevice(bytes: Uint8Array, key: Uint8Array, isReadOnly: boolean): Promise<Device> {
  const call = { options: {}, keys: [key], areKeyFiles: false, isReadOnly };
  return Device.open(await openByDriver([new GappedLayer(bytes, null)], call), environment, { isReadOnly });
}

async function madeByCev(version: 1 | 2): Promise<Uint8Array> {
  const device = new Uint8Array(DATA_OFFSET + DATA_LENGTH);
  const layer = new GappedLayer(device, null);
  const options = {
    environment,
    version,
    cost: COST,
    keySize: KEY_SIZE,
    sectorSize: 512,
    dataOffset: DATA_OFFSET,
  };
  await layer.open();
  await luksFormat(layer, { ...options, keys: [KEYS.first] });
  await luksAddKey(layer, { environment, keys: [KEYS.first], newKey: KEYS.second, cost: COST });
  await layer.close();
  return device;
}

async function madeByCryptsetup(version: 1 | 2, folder: string): Promise<Uint8Array> {
  const image = join(folder, "start.img");
  const [first, second] = (["first", "second"] as const).map((name) => {
    const path = join(folder, `start.${name}`);
    writeFileSync(path, KEYS[name]);
    return path;
  });
  writeFileSync(image, "");
  truncateSync(image, DATA_OFFSET + DATA_LENGTH);
  const cheap = ["--disable-locks", "-q", "--pbkdf=pbkdf2", "--pbkdf-force-iterations=1000"];
  // LUKS1 has no other sectors.
  const sectors = version === 2 ? ["--sector-size=512"] : [];
  const shape = [
    ...sectors,
    `--type=luks${version}`,
    `--key-size=${KEY_SIZE * 8}`,
    `--offset=${DATA_OFFSET / 512}`,
  ];
  await output("cryptsetup", ["luksFormat", ...cheap, ...shape, image, first!]);
  await output("cryptsetup", ["luksAddKey", ...cheap, "--key-file", first!, image, second!]);
  const device = Uint8Array.from(readFileSync(image));
  rmSync(image);
  return device;
}
