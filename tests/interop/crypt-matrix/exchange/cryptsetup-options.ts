import type { CryptCase } from "../cases.ts";
import type { Recipe } from "../recipe.ts";

const SECTOR = 512;

/** The words of `cryptsetup luksFormat` for a case, but for the devices and the key file. */
export function formatOptions(one: CryptCase, recipe: Recipe): readonly string[] {
  const { format, encryption, keySize, sectorSize, hash, kdf } = one;
  const { dataOffset, metadataSize, keyslotsSize, cost } = recipe;
  const options = [
    `--type=${format}`,
    `--cipher=${encryption}`,
    `--key-size=${keySize * 8}`,
    `--hash=${hash}`,
    `--offset=${dataOffset / SECTOR}`,
  ];
  if (format === "luks2") {
    options.push(`--sector-size=${sectorSize}`, `--pbkdf=${kdf}`);
    options.push(`--luks2-metadata-size=${metadataSize}`, `--luks2-keyslots-size=${keyslotsSize}`);
  }
  if (kdf === "pbkdf2") return [...options, "--pbkdf-force-iterations=1000"];
  const { passes, memoryKibibytes, lanes } = cost;
  return [
    ...options,
    `--pbkdf-force-iterations=${passes}`,
    `--pbkdf-memory=${memoryKibibytes}`,
    `--pbkdf-parallel=${lanes}`,
  ];
}

/** The words of `cryptsetup open` for a case, but for the devices and the key. */
export function openOptions(one: CryptCase, recipe: Recipe): readonly string[] {
  const { format, encryption, keySize, sectorSize, hash, hasLargeIvs } = one;
  if (format !== "plain") return [];
  const { dataOffset, plainSize, skip } = recipe;
  const options = [
    "--type=plain",
    `--cipher=${encryption}`,
    `--key-size=${keySize * 8}`,
    `--offset=${dataOffset / SECTOR}`,
    `--skip=${skip}`,
    `--size=${plainSize / SECTOR}`,
    `--sector-size=${sectorSize}`,
  ];
  if (hasLargeIvs) options.push("--iv-large-sectors");
  if (hash !== "key") options.push(`--hash=${hash}`);
  return options;
}
