import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GoldenManifest } from "../golden/manifest.ts";
import { unpackGolden } from "../golden/unpack.ts";

/** A golden set unpacked into a folder of its own, which goes away with it. */
export class GoldenCopy implements Disposable {
  readonly folder: string;
  readonly manifest: GoldenManifest;
  readonly images: readonly string[];

  constructor(name: string) {
    this.folder = mkdtempSync(join(tmpdir(), `cev-${name}-`));
    const { manifest, images } = unpackGolden(name, this.folder);
    this.manifest = manifest;
    this.images = images;
    writeFileSync(this.passphraseFile, `${manifest.passphrase ?? ""}\n`);
    writeFileSync(this.secondPassphraseFile, `${manifest.secondPassphrase ?? ""}\n`);
  }

  get passphraseFile(): string {
    return join(this.folder, "passphrase");
  }

  get secondPassphraseFile(): string {
    return join(this.folder, "second-passphrase");
  }

  /** The command-line arguments that hand in the keys. */
  get keys(): readonly string[] {
    return this.manifest.passphrase === undefined ? [] : ["--passphrase-file", this.passphraseFile];
  }

  /** What the kernel found in a layer. */
  layer(name: string): { readonly size: number; readonly sha256: string } {
    const layer = this.manifest.layers.find((candidate) => candidate.name === name);
    if (layer === undefined) throw new Error(`golden set ${this.manifest.name} has no layer ${name}`);
    return layer;
  }

  /** One hash over all images, to show that nothing was written. */
  hashImages(): string {
    const hash = createHash("sha256");
    for (const image of this.images) hash.update(readFileSync(image));
    return hash.digest("hex");
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
