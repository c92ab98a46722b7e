import { luksFormat } from "@cev/crypt";
import type { KeyCost } from "@cev/crypt";
import type { CryptCase } from "../cases.ts";
import type { Recipe } from "../recipe.ts";
import { contentOf, contentStart } from "./content.ts";
import { environment } from "./device.ts";
import type { CryptImages } from "./device.ts";
import { chanceOf } from "./from-kernel.ts";
import type { MadeCrypt } from "./from-kernel.ts";
import { GappedLayer } from "./gapped-layer.ts";

const ITERATIONS = 1000;

/** A device that cev makes, on images full of garbage. The content is not written yet. Throws as `luksFormat` does. */
export async function createCrypt(one: CryptCase, recipe: Recipe, seed: number): Promise<MadeCrypt> {
  const random = chanceOf("create", one, seed);
  const images: CryptImages = {
    data: random.bytes(recipe.imageSize),
    header: recipe.headerSize === null ? null : random.bytes(recipe.headerSize),
  };
  if (one.format !== "plain") await format(one, recipe, images);
  return { one, recipe, images, content: contentOf(recipe, contentStart(one.id).made) };
}

async function format(one: CryptCase, recipe: Recipe, images: CryptImages): Promise<void> {
  const { format: type, encryption, keySize, hash, sectorSize } = one;
  const { dataOffset, metadataSize, keyslotsSize, gap, passphrase } = recipe;
  const data = new GappedLayer(images.data, gap);
  const isLuks2 = type === "luks2";
  const options = {
    environment,
    keys: [passphrase],
    version: isLuks2 ? (2 as const) : (1 as const),
    encryption,
    keySize,
    hash,
    dataOffset,
    cost: costOf(one, recipe),
    ...(isLuks2 ? { sectorSize, metadataSize, keyslotsSize } : {}),
  };
  if (images.header === null) {
    await data.open();
    await luksFormat(data, options);
    await data.close();
    return;
  }
  const header = new GappedLayer(images.header, null);
  await Promise.all([data.open(), header.open()]);
  await luksFormat(header, { ...options, data });
  await Promise.all([data.close(), header.close()]);
}

function costOf({ kdf, hash }: CryptCase, { cost }: Recipe): KeyCost {
  if (kdf === "pbkdf2" || kdf === "-") return { type: "pbkdf2", hash, iterations: ITERATIONS };
  return { type: kdf, ...cost };
}
