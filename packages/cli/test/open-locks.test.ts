import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { describe, expect, test } from "vitest";
import { LOCK_WORDS, lockSettings, withLocks } from "../src/open-options.ts";
import { buildProgram } from "../src/program.ts";
import { CHEAP, IMAGE, luksFolder } from "./crypt-helpers.ts";
import type { CryptFolder } from "./crypt-helpers.ts";
import type { Ended } from "./helpers.ts";
import { run } from "./in-process.ts";

const UUID = "12345678-1234-4234-8234-123456789abc";
const DEVICE = ["--device", `luks/${UUID}`];

/** A LUKS2 device that the key a opens, and the key b in keyslot 3. */
async function lockedFolder(): Promise<CryptFolder> {
  const folder = await luksFolder("--uuid", UUID);
  const added = await folder.crypt("luksAddKey", IMAGE, "b", "-d", "a", "-S", "3", ...CHEAP);
  expect(added).toMatchObject({ status: 0 });
  return folder;
}

const copyOut = (folder: CryptFolder, ...words: string[]): Promise<Ended> =>
  run(["copy", IMAGE, ...DEVICE, "--to", "out", ...words], folder);

describe("a LUKS device that is opened", () => {
  test("is of the version that --type names, with a header apart as well", async () => {
    const folder = await lockedFolder();
    writeFileSync(join(folder.cwd, "data"), new Uint8Array(32 << 20));
    for (const [words, version] of [
      [["inspect", IMAGE], 2],
      [["copy", IMAGE, ...DEVICE, "--to", "out"], 2],
      [["inspect", "data", "--header", IMAGE], 2],
    ] as const) {
      const fits = await run([...words, "--key-file", "a", "--type", `luks${version}`], folder);
      expect(fits, fits.stderr).toMatchObject({ status: 0 });
      const other = await run([...words, "--key-file", "a", "--type", "luks1"], folder);
      expect(other.status).toBe(1);
      expect(other.stderr).toMatch(/a LUKS2 header, and one of LUKS1 is asked for/);
    }
  });

  test("is opened by the keyslot that --key-slot names, and by no other", async () => {
    const folder = await lockedFolder();
    for (const [key, slot, status] of [
      ["a", "0", 0],
      ["a", "3", 1],
      ["b", "3", 0],
      ["b", "7", 1],
    ] as const) {
      const ended = await copyOut(folder, "--key-file", key, "--key-slot", slot);
      expect(ended.status, `${key} ${slot}: ${ended.stderr}`).toBe(status);
    }
    const absent = await copyOut(folder, "--key-file", "b", "--key-slot", "7");
    expect(absent.stderr).toMatch(/no keyslot 7 that opens it; there are 0, 3/);
  });

  test("is written by the keyslot that --key-slot names, and by OpenSSL called in another way", async () => {
    const folder = await lockedFolder();
    const text = Buffer.alloc(65536, "a line of text\n");
    folder.file("in", text);
    const words = ["--key-file", "b", "--key-slot", "3"];
    const written = await run(["copy", IMAGE, ...DEVICE, "--from", "in", ...words], folder);
    expect(written, written.stderr).toMatchObject({ status: 0 });
    const read = await copyOut(folder, ...words, "--crypt-backend", "ffi");
    expect(read, read.stderr).toMatchObject({ status: 0 });
    expect(readFileSync(join(folder.cwd, "out")).subarray(0, text.length).equals(text)).toBe(true);
  });

  test("is not tried where that costs more than is allowed, and the option that allows it is named", async () => {
    const folder = await lockedFolder();
    const words = ["inspect", IMAGE, "--key-file", "a", "--kdf-iterations-max"];
    const refused = await run([...words, "999"], folder);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(
      /1000 iterations\) would take more than 999 .*allow it with --kdf-iterations-max/,
    );
    expect(await run([...words, "1000"], folder)).toMatchObject({ status: 0 });
    const tested = ["crypt", "open", "--test-passphrase", "-d", "a", IMAGE, "--kdf-iterations-max", "999"];
    expect((await run(tested, folder)).stderr).toMatch(/allow it with --kdf-iterations-max/);
  });

  test("is described by a stack file alone where there is one", async () => {
    const folder = await lockedFolder();
    folder.file("stack.yaml", `devices: { d0: { driver: "@cev/hw-file", path: ${IMAGE} } }`);
    const ended = await run(["inspect", "stack.yaml", "--key-slot", "1", "--kdf-memory-max", "2G"], folder);
    expect(ended.status).toBe(2);
    expect(ended.stderr).toMatch(/--key-slot, --kdf-memory-max are for image files/);
  });
});

describe("what is said of locks", () => {
  test("goes to all that are found, and to the one that is known", () => {
    const words = {
      keySlot: "4",
      type: "luks2",
      allowDiscards: true,
      cryptBackend: "ffi",
      kdfMemoryMax: "2G",
      kdfWorkMax: "1T",
      kdfIterationsMax: "7",
    };
    const options = {
      allowDiscards: true,
      backend: "ffi",
      version: 2,
      keyslot: 4,
      kdfMemoryMax: 2 ** 31,
      kdfWorkMax: 2 ** 40,
      kdfIterationsMax: 7,
    };
    expect(lockSettings(words, ["d0", "d1"])).toEqual({ driverOptions: { "@cev/crypt": options } });
    expect(lockSettings({ ...words, header: "h", encrypted: "d1" }, ["d0", "d1"]).known).toEqual([
      { driver: "@cev/crypt", lowers: ["d1", "h"], options },
    ]);
    expect(lockSettings({}, ["d0"])).toEqual({});
    const plain = { type: "plain", cipher: "aes-xts-plain64", keySize: "256", cryptBackend: "ffi" };
    expect(lockSettings(plain, ["d0"]).known).toEqual([
      {
        driver: "@cev/crypt",
        lowers: ["d0"],
        options: { backend: "ffi", plain: { cipher: "aes-xts-plain64", keySize: 32 } },
      },
    ]);
  });

  test("is refused with a stack file, all of it", () => {
    const names = withLocks(new Command()).options.map((option) => option.attributeName());
    expect([...LOCK_WORDS].toSorted()).toEqual(names.toSorted());
  });

  test.each(["inspect", "copy", "serve"])(
    "and every other option of cev %s, stands in the README",
    (name) => {
      const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
      const command = buildProgram(() => undefined).commands.find((one) => one.name() === name)!;
      const shown = command.options.filter(({ hidden }) => !hidden).map(({ long }) => long!);
      expect(shown.length).toBeGreaterThan(10);
      expect(shown.filter((long) => !new RegExp(`\`[^\`]*${long}\\b[^\`]*\``).test(readme))).toEqual([]);
    },
  );
});
