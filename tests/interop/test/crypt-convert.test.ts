import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeTree, environmentFrom, openTree } from "@cev/core";
import { luksConvert, luksTestPassphrase } from "@cev/crypt";
import { FileLayer } from "@cev/hw-file";
import { afterAll, beforeAll, expect, test } from "vitest";
import { output } from "../src/run.ts";
import { describeWith } from "../src/tools.ts";

const environment = environmentFrom(globalThis);
const QUIET = ["--disable-locks", "--batch-mode"];
const CHEAP = ["--pbkdf-force-iterations", "1000"];

describeWith(["cryptsetup"], "headers that cev converts, cryptsetup reads and converts back", () => {
  let folder = "";
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "cev-crypt-convert-"));
    for (const id of [0, 6]) writeFileSync(join(folder, `key${id}`), `key ${id}`);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  const keyFile = (id: number): string => join(folder, `key${id}`);

  const cryptsetup = (...words: readonly string[]): Promise<string> =>
    output("cryptsetup", [...words, ...QUIET]);

  async function convert(path: string, to: 1 | 2): Promise<void> {
    const layer = await FileLayer.at(environment, { path });
    await openTree(layer);
    try {
      await luksConvert(layer, { environment, to });
      for (const id of [0, 6]) {
        const keys = [new Uint8Array(readFileSync(keyFile(id)))];
        expect(await luksTestPassphrase(layer, { environment, keys })).toBe(id);
      }
    } finally {
      await closeTree(layer);
    }
    await judge(path, to);
  }

  /** Both keys open, in their own keyslots, and the version is the one wanted. */
  async function judge(path: string, version: 1 | 2): Promise<void> {
    await cryptsetup("isLuks", "--type", `luks${version}`, path);
    for (const id of [0, 6])
      await cryptsetup(
        "open",
        "--test-passphrase",
        "--key-slot",
        String(id),
        "--key-file",
        keyFile(id),
        path,
      );
  }

  test.each([
    ["aes-xts-plain64", 512],
    ["aes-cbc-essiv:sha256", 128],
  ])("%s with %i bits: cev and cryptsetup in turn, both ways", async (cipher, bits) => {
    const path = join(folder, `luks-${bits}.img`);
    writeFileSync(path, "");
    truncateSync(path, 3 * 2 ** 20);
    const shape = ["--type", "luks1", "--cipher", cipher, "--key-size", String(bits)];
    await cryptsetup("luksFormat", ...shape, ...CHEAP, path, keyFile(0));
    await cryptsetup("luksAddKey", "--key-slot", "6", "--key-file", keyFile(0), ...CHEAP, path, keyFile(6));
    const dumped = await output("cryptsetup", ["luksDump", path]);
    const data = readFileSync(path).subarray(2 * 2 ** 20);

    await convert(path, 2);
    await cryptsetup("convert", "--type", "luks1", path);
    await judge(path, 1);
    expect(await output("cryptsetup", ["luksDump", path])).toBe(dumped);
    await cryptsetup("convert", "--type", "luks2", path);
    await convert(path, 1);
    expect(await output("cryptsetup", ["luksDump", path])).toBe(dumped);
    expect(Buffer.compare(readFileSync(path).subarray(2 * 2 ** 20), data)).toBe(0);
  });
});
