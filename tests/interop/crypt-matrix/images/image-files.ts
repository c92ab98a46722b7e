import { truncateSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { output } from "../../src/run.ts";
import type { SuiteImage } from "./suite.ts";

const SECTOR = 512;
const MIB = 1024 * 1024;

/** An image unpacked, and its key. */
export interface ImageFiles {
  readonly image: string;
  readonly key: string;
}

/** Unpacks images of a folder of tests into another one. */
export class ImageFolder {
  readonly #suite: string;
  readonly #folder: string;
  readonly #unpacked = new Set<string>();
  #keyCount = 0;

  constructor(suite: string, folder: string) {
    this.#suite = suite;
    this.#folder = folder;
  }

  async unpack({ name, file, key }: SuiteImage): Promise<ImageFiles> {
    const source = join(this.#suite, file);
    const image = join(this.#folder, name);
    if (!this.#unpacked.has(file)) {
      this.#unpacked.add(file);
      if (file.endsWith(".tar.xz"))
        await output("tar", ["-xJf", source, "-C", this.#folder, "--no-same-owner"]);
      else await output("sh", ["-c", 'xz -dc "$1" >"$2"', "sh", source, image]);
    }
    // These are headers alone, without the device that they are for.
    if (name.startsWith("luks2_header")) truncateSync(image, statSync(image).size + MIB);
    // A loop device has whole sectors.
    truncateSync(image, Math.floor(statSync(image).size / SECTOR) * SECTOR);
    if ("file" in key) return { image, key: join(this.#folder, key.file) };
    const path = join(this.#folder, `key${this.#keyCount++}`);
    writeFileSync(path, key.passphrase);
    return { image, key: path };
  }
}
