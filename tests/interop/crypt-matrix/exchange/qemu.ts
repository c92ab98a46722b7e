import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { output, run } from "../../src/run.ts";
import type { CryptCase } from "../cases.ts";
import { recipeOf } from "../recipe.ts";
import type { Recipe } from "../recipe.ts";
import type { Verdict } from "../verdict.ts";
import { CONTENT, contentStart } from "./content.ts";
import { createCrypt } from "./create.ts";
import { openCrypt } from "./device.ts";
import type { CryptImages } from "./device.ts";
import { contentFailures, judged } from "./from-kernel.ts";
import { writeCrypt } from "./to-kernel.ts";

const HASHES = ["sha1", "sha224", "sha256", "sha384", "sha512", "ripemd160"];
const IVS: ReadonlyMap<string, string> = new Map([
  ["plain", "plain"],
  ["plain64", "plain64"],
  ["essiv:sha256", "essiv,ivgen-hash-alg=sha256"],
]);
const ITERATION_MS = 20;
/** It measures how many iterations that are, and now and then finds that it cannot. */
const MEASURES_MAX = 8;

/** What QEMU calls the cipher of a case; null: it has none like it. */
export function qemuCipher({ format, encryption, keySize, hash }: CryptCase): string | null {
  const [cipher, mode = "", ...rest] = encryption.split("-");
  const iv = IVS.get(rest.join("-"));
  if (format !== "luks1" || cipher !== "aes" || iv === undefined || !HASHES.includes(hash)) return null;
  if (!["xts", "cbc", "ctr"].includes(mode)) return null;
  // It cannot make keyslots that do not end with a sector.
  if ((keySize * 4000) % 512 !== 0) return null;
  const bits = (mode === "xts" ? keySize / 2 : keySize) * 8;
  return `cipher-alg=aes-${bits},cipher-mode=${mode},ivgen-alg=${iv},hash-alg=${hash}`;
}

/**
 * One device exchanged with QEMU's LUKS1, both ways: what it makes and fills, cev reads and writes, and it reads that; what cev makes and
 * fills, it reads.
 */
export async function exchangeWithQemu(one: CryptCase, folder: string, seed: number): Promise<Verdict> {
  const own = join(folder, `qemu-${one.id.replaceAll("/", "-")}`);
  mkdirSync(own);
  const recipe = simpleRecipe(one);
  const size = recipe.plainSize;
  try {
    return await judged("qemu", one, "", async () => {
      const files = new QemuFiles(own, recipe.passphrase);
      const content = CONTENT.slice(contentStart(one.id).made).subarray(0, size);
      await files.create(`${qemuCipher(one)!},iter-time=${ITERATION_MS}`, content);
      const images: CryptImages = { data: readFileSync(files.image), header: null };
      const failures = await readFailures(one, recipe, images, content);
      if (failures.length > 0) return failures.map((failure) => `made by QEMU: ${failure}`);
      const written = { one, recipe, images, content: content.slice() };
      return [
        ...(await roundTrip(files, "made by QEMU", () => writeCrypt("qemu", written, seed), written)),
        ...(await createdFailures(files, one, recipe, seed)),
      ];
    });
  } finally {
    rmSync(own, { recursive: true, force: true });
  }
}

async function createdFailures(
  files: QemuFiles,
  one: CryptCase,
  recipe: Recipe,
  seed: number,
): Promise<string[]> {
  const created = await createCrypt(one, recipe, seed);
  return roundTrip(files, "made by cev", () => writeCrypt("create", created, seed), created);
}

/** cev writes, QEMU reads. */
async function roundTrip(
  files: QemuFiles,
  title: string,
  write: () => Promise<object>,
  { images, content }: { readonly images: CryptImages; readonly content: Uint8Array },
): Promise<string[]> {
  const outcome = await write();
  if ("failures" in outcome) return (outcome.failures as string[]).map((failure) => `${title}: ${failure}`);
  const found = await files.read(images.data);
  return Buffer.compare(found, content) === 0 ? [] : [`${title}: QEMU reads otherwise`];
}

async function readFailures(
  one: CryptCase,
  recipe: Recipe,
  images: CryptImages,
  content: Uint8Array,
): Promise<string[]> {
  await using opened = await openCrypt(one, recipe, images, { isReadOnly: true });
  return await contentFailures(opened.device, recipe, content);
}

/** QEMU knows neither detached headers nor gaps, and takes passphrases that are text. */
function simpleRecipe(one: CryptCase): Recipe {
  const recipe = recipeOf(one);
  const { length } = recipe.places[0]!;
  const header = recipe.headerSize ?? recipe.dataOffset;
  return {
    ...recipe,
    imageSize: header + length,
    headerSize: null,
    dataOffset: header,
    places: [{ offset: 0, length }],
    plainSize: length,
    gap: null,
    passphrase: Buffer.from(Buffer.from(recipe.passphrase).toString("base64")),
  };
}

/** QEMU's side: an image, and what is in it. */
class QemuFiles {
  readonly image: string;
  readonly #plain: string;
  readonly #secret: readonly string[];
  readonly #options: readonly string[];

  constructor(folder: string, passphrase: Uint8Array) {
    this.image = join(folder, "luks.img");
    this.#plain = join(folder, "plain.img");
    const key = join(folder, "key");
    writeFileSync(key, passphrase);
    this.#secret = ["--object", `secret,id=key,file=${key}`];
    this.#options = ["--image-opts", `driver=luks,key-secret=key,file.filename=${this.image}`];
  }

  async create(cipher: string, content: Uint8Array): Promise<void> {
    writeFileSync(this.#plain, content);
    const options = `key-secret=key,${cipher}`;
    const args = [
      "create",
      "-q",
      ...this.#secret,
      "-f",
      "luks",
      "-o",
      options,
      this.image,
      `${content.length}`,
    ];
    for (let count = 1; ; count++) {
      const { status, stderr } = await run("qemu-img", args);
      if (status === 0) break;
      if (count === MEASURES_MAX || !stderr.includes("accurate CPU usage")) throw new Error(stderr);
    }
    const target = `driver=luks,key-secret=key,file.filename=${this.image}`;
    await output("qemu-img", [
      ...["convert", ...this.#secret, "-n", "-S", "0", "-f", "raw"],
      ...["--target-image-opts", this.#plain, target],
    ]);
  }

  async read(image: Uint8Array): Promise<Uint8Array> {
    writeFileSync(this.image, image);
    await output("qemu-img", [
      ...["convert", ...this.#secret, "-O", "raw"],
      ...[...this.#options, this.#plain],
    ]);
    return readFileSync(this.#plain);
  }
}
