import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { afterAll, describe, expect, test } from "vitest";
import { runSource } from "../../scripts/run-source.ts";
import type { EndedProgram } from "../../scripts/run-source.ts";
import { copyDevice } from "./copy-device.ts";
import { addKey, makeImage, makeKeyFile, withImage } from "./encrypted-image.ts";

const KIB = 1024;
const environment = environmentFrom(globalThis);
const folder = mkdtempSync(join(tmpdir(), "cev-encrypted-copy-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...args: string[]): EndedProgram => runSource(join(import.meta.dirname, "main.ts"), ...args);

describe("the program", () => {
  const made = join(folder, "made");
  const source = join(folder, "disk.img");
  // No multiple of a sector: what follows in the last one is zeroes or noise, and the same in both.
  const content = randomBytes(3 * KIB * KIB + 1234);
  writeFileSync(source, content);

  test("makes two images whose content is the same, each under keys of its own", async () => {
    const { status, stdout, stderr } = run(source, made);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^image\.img is luks\/[0-9a-f-]{36}, opened by first\.key\n/);
    expect(stdout).toMatch(/second\.key is in keyslot 1\n/);
    expect(stdout).toMatch(/ {2}25% of .*\n {2}50% of .*\n {2}75% of .*\n {2}100% of \d+ bytes copied\n/);
    expect(stdout).toMatch(/sha256 of image\.img: ([0-9a-f]{64})\nsha256 of copy\.img: {2}\1\n/);
    expect(stdout).toMatch(/first\.key does not open copy\.img\n$/);
    expect(status).toBe(0);
    const copy = { path: join(made, "copy.img"), keyFile: join(made, "copy.key") };
    const read = await withImage(copy, environment, (device) => device.read(0, content.length));
    expect(Buffer.compare(read, content)).toBe(0);
    expect(readFileSync(copy.path).includes(content.subarray(0, 64))).toBe(false);
    expect(statSync(copy.keyFile).mode & 0o777).toBe(0o600);
  });

  test("overwrites no key that is there already", () => {
    const { status, stderr } = run(source, made);
    expect(stderr).toMatch(/first\.key/);
    expect(status).toBe(1);
  });

  test("says how it is called", () => {
    expect(run(source)).toMatchObject({ status: 2, stderr: "usage: main.ts FILE FOLDER\n" });
  });
});

describe("its parts", () => {
  test("a key that was added opens the image as well as the first one", async () => {
    const [first, second] = [join(folder, "a.key"), join(folder, "b.key")];
    for (const path of [first, second]) await makeKeyFile(path, environment);
    const image = { path: join(folder, "a.img"), keyFile: first };
    await makeImage(image, 4096, environment);
    await expect(
      withImage({ ...image, keyFile: second }, environment, async () => null),
    ).rejects.toMatchObject({ code: "CEV_WRONG_KEY" });
    expect(await addKey(image, second, environment)).toBe(1);
    for (const keyFile of [first, second])
      expect(await withImage({ ...image, keyFile }, environment, async ({ size }) => size)).toBe(4096);
  });

  test("a copy that is given up ends between two chunks, and one that does not fit is not begun", async () => {
    const ramdisk = (size: number): Promise<Device> =>
      Device.open(new RamdiskLayer(environment, { size }), environment);
    await using from = await ramdisk(4 * KIB * KIB);
    await using to = await ramdisk(4 * KIB * KIB);
    await using small = await ramdisk(2 * KIB * KIB);
    const leaving = new AbortController();
    const seen: number[] = [];
    const copying = copyDevice(
      from,
      to,
      (done) => {
        seen.push(done);
        leaving.abort();
      },
      leaving.signal,
    );
    await expect(copying).rejects.toMatchObject({ code: "CEV_CANCELLED" });
    expect(seen).toEqual([KIB * KIB]);
    await expect(copyDevice(from, small, () => undefined)).rejects.toThrow(RangeError);
  });
});
