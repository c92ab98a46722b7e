import { writeFile } from "node:fs/promises";
import { Device, closeTree, openTree } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { luksAddKey, luksFormat, openLuks } from "@cev/crypt";
import { FileLayer } from "@cev/hw-file";
import { readKeyFile } from "@cev/stack";

/** Bytes before the encrypted data: what luksFormat leaves for the header when it is not told otherwise. */
const HEADER_SIZE = 16 * 1024 * 1024;
const SECTOR_SIZE = 4096;
const KEY_SIZE = 64;

/**
 * What it costs to try a key. Keys here are random bytes, which nobody guesses, so it may be next to nothing. For passphrases leave
 * `cost` out: then trying one takes about two seconds.
 */
const COST = { type: "pbkdf2", hash: "sha256", iterations: 1000 } as const;

/** Writes a file of random bytes that only its owner reads. There may be none yet. */
export async function makeKeyFile(path: string, environment: Environment): Promise<void> {
  const key = new Uint8Array(KEY_SIZE);
  environment.random(key);
  await writeFile(path, key, { mode: 0o600, flag: "wx" });
  key.fill(0);
}

/** An image file and the file with a key to it. */
export interface EncryptedImage {
  readonly path: string;
  readonly keyFile: string;
}

/** Makes an image with room for `size` bytes of content. Returns its UUID. */
export async function makeImage(
  image: EncryptedImage,
  size: number,
  environment: Environment,
): Promise<string> {
  const content = Math.ceil(size / SECTOR_SIZE) * SECTOR_SIZE;
  const options = { path: image.path, create: true, size: HEADER_SIZE + content };
  return withFile(options, environment, (file) =>
    withKey(image.keyFile, (key) =>
      luksFormat(file, { environment, keys: [key], cost: COST, sectorSize: SECTOR_SIZE }),
    ),
  );
}

/** Gives an image another key. Returns the number of the keyslot that it is in. */
export async function addKey(
  image: EncryptedImage,
  newKeyFile: string,
  environment: Environment,
): Promise<number> {
  return withFile({ path: image.path }, environment, (file) =>
    withKey(image.keyFile, (key) =>
      withKey(newKeyFile, (newKey) => luksAddKey(file, { environment, keys: [key], newKey, cost: COST })),
    ),
  );
}

/** Shows the content of an image to `use`, as a device like any other. `readOnly`: not one byte of the file is written. */
export async function withImage<Result>(
  image: EncryptedImage,
  environment: Environment,
  use: (content: Device) => Promise<Result>,
  { readOnly = false } = {},
): Promise<Result> {
  return withFile({ path: image.path, readOnly }, environment, async (file) => {
    const { layer } = await withKey(image.keyFile, (key) =>
      openLuks(file, { environment, keys: [key], isReadOnly: readOnly }),
    );
    await using content = await Device.open(layer, environment, { name: image.path });
    return await use(content);
  });
}

type FileOptions = Parameters<typeof FileLayer.at>[1];

async function withFile<Result>(
  options: FileOptions,
  environment: Environment,
  use: (file: Layer) => Promise<Result>,
): Promise<Result> {
  const file = await FileLayer.at(environment, options);
  await openTree(file);
  try {
    return await use(file);
  } finally {
    await closeTree(file);
  }
}

/** Keys are in memory only while they are needed. */
async function withKey<Result>(path: string, use: (key: Uint8Array) => Promise<Result>): Promise<Result> {
  const key = await readKeyFile(path);
  try {
    return await use(key);
  } finally {
    key.fill(0);
  }
}
