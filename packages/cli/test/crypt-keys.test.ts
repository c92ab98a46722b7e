import { describe, expect, test } from "vitest";
import { CHEAP, IMAGE, cryptFolder, hasCryptsetup, luksFolder } from "./crypt-helpers.ts";
import type { CryptFolder } from "./crypt-helpers.ts";
import { run } from "./in-process.ts";

/** Whether a key opens the device, as cev and cryptsetup see it. */
async function opens(folder: CryptFolder, key: string): Promise<boolean> {
  const ended = await folder.crypt("open", "--test-passphrase", IMAGE, "--key-file", key);
  const isOpened = ended.status === 0;
  if (hasCryptsetup) folder.judge(["open", "--test-passphrase", "-d", key, IMAGE], !isOpened);
  return isOpened;
}

for (const type of ["luks1", "luks2"]) {
  describe(`keys of a ${type} device`, () => {
    test("are added, changed and removed, and cryptsetup sees the same", async () => {
      const folder = await luksFolder("--type", type);
      const { crypt } = folder;
      expect(await opens(folder, "a")).toBe(true);
      expect(await opens(folder, "b")).toBe(false);

      const added = await crypt("luksAddKey", IMAGE, "b", "--key-file", "a", "-S", "3", ...CHEAP);
      expect(added).toMatchObject({ status: 0, stderr: "" });
      expect(added.stdout.toString()).toBe("Key slot 3 created.\n");
      expect(await opens(folder, "b")).toBe(true);

      const changed = await crypt("luksChangeKey", IMAGE, "c", "-d", "b", "-S", "3", ...CHEAP, "--json");
      expect(changed).toMatchObject({ status: 0, stderr: "" });
      expect(JSON.parse(changed.stdout.toString())).toEqual({
        command: "luksChangeKey",
        device: IMAGE,
        keyslot: 3,
        problems: [],
      });
      expect([await opens(folder, "b"), await opens(folder, "c")]).toEqual([false, true]);

      expect(await crypt("luksRemoveKey", IMAGE, "c")).toMatchObject({ status: 0 });
      expect([await opens(folder, "a"), await opens(folder, "c")]).toEqual([true, false]);
    });

    test("are removed by number, with a key that remains", async () => {
      const folder = await luksFolder("--type", type);
      const { crypt } = folder;
      await crypt("luksAddKey", IMAGE, "b", "-d", "a", ...CHEAP);
      expect(await crypt("luksKillSlot", IMAGE, "1", "-d", "b")).toMatchObject({ status: 1 });
      const absent = await crypt("luksKillSlot", IMAGE, "5", "-d", "a");
      expect(absent.stderr).toMatch(/^cev: disk\.img: there is no keyslot 5/);
      expect(await opens(folder, "b")).toBe(true);
      expect(await crypt("luksKillSlot", IMAGE, "1", "-d", "a")).toMatchObject({ status: 0 });
      expect(await opens(folder, "b")).toBe(false);
    });

    test("are not all removed without being asked", async () => {
      const folder = await luksFolder("--type", type);
      const { crypt } = folder;
      for (const words of [
        ["luksRemoveKey", IMAGE, "a"],
        ["luksKillSlot", IMAGE, "0", "-d", "a"],
        ["erase", IMAGE],
      ]) {
        const refused = await crypt(...words);
        expect(refused.status).toBe(2);
        expect(refused.stderr).toMatch(/There is no terminal to ask at: add --batch-mode \(-q\)/);
      }
      expect(await opens(folder, "a")).toBe(true);
      expect(await crypt("erase", "-q", IMAGE)).toMatchObject({ status: 0 });
      expect(await opens(folder, "a")).toBe(false);
    });
  });
}

describe("luks2 keys", () => {
  test("are converted to another derivation", async () => {
    const folder = await luksFolder();
    const cost = [
      "--pbkdf",
      "argon2id",
      "--pbkdf-memory",
      "32",
      "--pbkdf-parallel",
      "1",
      "--pbkdf-force-iterations",
      "4",
    ];
    const converted = await folder.crypt("luksConvertKey", IMAGE, "-d", "a", ...cost);
    expect(converted).toMatchObject({ status: 0, stderr: "" });
    expect(await opens(folder, "a")).toBe(true);
    const dump = await folder.crypt("luksDump", IMAGE);
    expect(dump.stdout.toString()).toMatch(/PBKDF: +argon2id\n\tTime cost: +4\n\tMemory: +32\n/);
  });

  test("that open nothing here are kept, and read back", async () => {
    const folder = await luksFolder();
    folder.file("own", "0123456789abcdef0123456789abcdef");
    const words = [
      "--unbound",
      "--key-size",
      "256",
      "--volume-key-file",
      "own",
      "-S",
      "5",
      "--new-keyfile",
      "b",
    ];
    expect(await folder.crypt("luksAddKey", IMAGE, ...words, ...CHEAP)).toMatchObject({ status: 0 });
    expect(await opens(folder, "b")).toBe(false);
    // Unless its keyslot is named.
    const named = await folder.crypt("open", "--test-passphrase", IMAGE, "-d", "b", "-S", "5");
    expect(named).toMatchObject({ status: 0, stderr: "" });
    expect(named.stdout.toString()).toBe("");
    const json = ["luksDump", "-q", "--json", "--unbound", "-S", "5", "-d", "b", IMAGE];
    expect(JSON.parse((await folder.crypt(...json)).stdout.toString())).toEqual({
      command: "luksDump",
      device: IMAGE,
      volumeKeyHex: Buffer.from("0123456789abcdef0123456789abcdef").toString("hex"),
      problems: [],
    });
    const dumped = await folder.crypt("luksDump", "-q", "--unbound", "-S", "5", "-d", "b", IMAGE);
    expect(dumped.stdout.toString()).toContain(
      Buffer.from("0123456789abcdef").toString("hex").replaceAll(/../g, "$& "),
    );
    if (hasCryptsetup) expect(folder.judge(["luksDump", IMAGE])).toContain("5: luks2 (unbound)");
  });
});

describe("secrets", () => {
  test("are not taken from the command line, and not repeated", async () => {
    const { crypt } = cryptFolder();
    for (const words of [
      ["inspect", IMAGE, "--passphrase=hunter2'x"],
      ["inspect", IMAGE, "--passphrase", "hunter2"],
      ["inspect", IMAGE, "-phunter2"],
      ["inspect", IMAGE, "-zhunter2\nhunter2"],
      ["crypt", "luksAddKey", IMAGE, "a", "hunter2"],
      ["crypt", "open", "--test-passphrase", IMAGE, "name", "hunter2"],
      ["crypt", "luksKillSlot", IMAGE, "0", "hunter2"],
      ["crypt", "luksKillSlot", IMAGE, "hunter2"],
    ]) {
      const unknown = await run([...words, "--json"]);
      expect(unknown.status).toBe(2);
      expect(unknown.stderr + unknown.stdout.toString()).not.toContain("hunter2");
    }
    for (const words of [
      ["luksFormat", "-q", IMAGE, "hunter2"],
      ["luksAddKey", IMAGE, "--passphrase", "hunter2"],
      ["luksFormat", "-q", IMAGE, "--password=hunter2"],
      ["luksRemoveKey", IMAGE, "hunter2"],
    ]) {
      const refused = await crypt(...words);
      expect(refused.status).not.toBe(0);
      expect(refused.stderr).not.toContain("hunter2");
      expect(refused.stderr).toMatch(/no secret stands on a command line/);
    }
  });
});
