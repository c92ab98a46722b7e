import { readFileSync, statSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CHEAP, IMAGE, cryptFolder, hasCryptsetup, luksFolder } from "./crypt-helpers.ts";
import type { CryptFolder } from "./crypt-helpers.ts";
import { golden } from "./helpers.ts";
import { run } from "./in-process.ts";
import { archiveApart, makeGroup } from "./lvm-helpers.ts";

archiveApart();

/** Both tell the same of a header. */
async function expectSameDump(folder: CryptFolder, ...words: string[]): Promise<string> {
  const shown = await folder.crypt("luksDump", ...words, IMAGE);
  expect(shown).toMatchObject({ status: 0, stderr: "" });
  const text = shown.stdout.toString();
  expect(text).toBe(folder.judge(["luksDump", ...words, IMAGE]));
  return text;
}

describe.skipIf(!hasCryptsetup)("luksDump prints what cryptsetup prints", () => {
  test("of a luks2 header with all that it can carry", async () => {
    const folder = await luksFolder("--label", "backup", "--subsystem", "tests", "--sector-size", "4096");
    const { crypt, judge } = folder;
    const argon = ["--pbkdf", "argon2i", "--pbkdf-memory", "32", "--pbkdf-parallel", "1"];
    judge(["luksAddKey", "-q", ...argon, "--pbkdf-force-iterations", "4", "-d", "a", IMAGE, "b"]);
    judge(["luksAddKey", "-q", "--unbound", "-s", "256", "-S", "7", ...CHEAP, IMAGE, "c"]);
    judge(["config", "--priority", "prefer", "--key-slot", "1", IMAGE]);
    await crypt("config", "--priority", "ignore", "--key-slot", "7", IMAGE);
    await crypt("config", "--flags", "allow-discards,no-read-workqueue", IMAGE);
    await crypt("token", "add", "--key-description", "a place", IMAGE);
    folder.file("token", JSON.stringify({ type: "of-somebody", keyslots: ["1"], own: { x: 1 } }));
    await crypt("token", "import", "--json-file", "token", IMAGE);
    const text = await expectSameDump(folder);
    expect(text).toContain("7: luks2 (unbound)");
    expect(text).toContain("Key description: a place");
    await expectSameDump(folder, "--dump-volume-key", "-q", "-d", "a");
    const huge = "18446744073709551615";
    folder.file("odd", `{"type":"odd","keyslots":[],"text":"\u009b31m","huge":${huge}}`);
    expect(await crypt("token", "import", "--json-file", "odd", IMAGE)).toMatchObject({ status: 0 });
    const { stdout } = await crypt("luksDump", "--dump-json-metadata", IMAGE);
    expect(stdout.toString()).toContain(`"huge": ${huge}`);
    expect(stdout.toString()).toContain(String.raw`"\u009b31m"`);
    const exported = await crypt("token", "export", "--token-id", "2", IMAGE);
    expect(exported.stdout.toString()).toContain(huge);
    expect(exported.stdout.toString()).not.toContain("\u009b");
    await crypt("token", "remove", "--token-id", "2", IMAGE);
    const shown = await crypt("luksDump", "--dump-json-metadata", IMAGE);
    expect(JSON.parse(shown.stdout.toString())).toEqual(
      JSON.parse(judge(["luksDump", "--dump-json-metadata", IMAGE])),
    );
  });

  test.each([
    ["--resilience", "checksum"],
    ["--encrypt", "--type", "luks2", "--reduce-device-size", "8M"],
    ["--decrypt", "--header", "header", "--force-offline-reencrypt"],
  ])("of a header in the middle of a reencryption: %s", async (...words) => {
    const folder = await luksFolder("-S", "3");
    if (words[0] === "--encrypt") writeFileSync(join(folder.cwd, IMAGE), new Uint8Array(32 * 1024 * 1024));
    folder.judge(["reencrypt", "-q", "--init-only", ...CHEAP, ...words, "-d", "a", IMAGE]);
    const header = words.includes("--header") ? "header" : IMAGE;
    const shown = await folder.crypt("luksDump", header);
    expect(shown.stdout.toString()).toBe(folder.judge(["luksDump", header]));
    expect(shown.stdout.toString()).toContain("online-reencrypt");
  });

  test("of a luks1 header", async () => {
    const folder = await luksFolder(
      "--type",
      "luks1",
      "--hash",
      "sha512",
      "-c",
      "aes-cbc-essiv:sha256",
      "-s",
      "256",
    );
    await folder.crypt("luksAddKey", "-d", "a", "-S", "5", "--pbkdf-force-iterations", "1000", IMAGE, "b");
    await expectSameDump(folder);
    await expectSameDump(folder, "--dump-volume-key", "-q", "-d", "b");
  });

  test.each(["luks1", "luks-4096", "luks-pbkdf2"])(
    "of the header that a kernel's machine made: %s",
    async (name) => {
      const { images } = golden(name);
      const folder = cryptFolder(0);
      folder.file(IMAGE, readFileSync(images[0]!));
      await expectSameDump(folder);
    },
  );
});

describe("luksFormat", () => {
  test.skipIf(!hasCryptsetup)("follows cryptsetup's options", async () => {
    const folder = cryptFolder(40 << 20);
    folder.file("volume-key", new Uint8Array(32).fill(7));
    const words = ["-c", "aes-xts-plain64", "-s", "256", "--sector-size", "2048", "--uuid"];
    const uuid = "0f4f9d1c-33a7-4f0e-8d1b-0c5f1a1e7a55";
    const layout = ["--luks2-metadata-size", "64k", "--luks2-keyslots-size", "1M", "-o", "8192", "-S", "3"];
    const area = ["--keyslot-cipher", "aes-cbc-plain64", "--keyslot-key-size", "128", "--volume-key-file"];
    const made = await folder.crypt(
      "luksFormat",
      "-q",
      ...CHEAP,
      "-h",
      "sha512",
      ...words,
      uuid,
      ...layout,
      ...area,
      "volume-key",
      IMAGE,
      "a",
    );
    expect(made).toMatchObject({ status: 0, stderr: "" });
    const dump = await expectSameDump(folder);
    for (const line of [
      `UUID:          \t${uuid}`,
      "Metadata area: \t65536 [bytes]",
      "Keyslots area: \t1048576 [bytes]",
      "\toffset: 4194304 [bytes]",
      "\tsector: 2048 [bytes]",
      "  3: luks2",
      "\tCipher:     aes-cbc-plain64",
      "\tCipher key: 128 bits",
      "\tAF hash:    sha512",
    ])
      expect(dump.split("\n")).toContain(line);
    const key = await expectSameDump(folder, "--dump-volume-key", "-q", "-d", "a");
    expect(key).toContain("07 07 07 07");
  });

  test("makes the image where that is asked for, and takes it away again where it fails", async () => {
    const { crypt, cwd } = cryptFolder();
    const absent = await crypt("luksFormat", "-q", "new.img", "a");
    expect(absent.status).toBe(1);
    expect(absent.stderr).toMatch(/no such file; .*--make-images SIZE/);
    const words = ["luksFormat", "--make-images", "20M", "new.img", "a", ...CHEAP];
    expect(await crypt(...words, "--sector-size", "513")).toMatchObject({ status: 1 });
    expect(statSync(join(cwd, "new.img"), { throwIfNoEntry: false })).toBeUndefined();
    // Nothing is lost: nobody is asked.
    expect(await crypt(...words)).toMatchObject({ status: 0 });
    expect(statSync(join(cwd, "new.img")).size).toBe(20 << 20);
    expect(await crypt("isLuks", "new.img")).toMatchObject({ status: 0 });
  });

  test("names what it would overwrite, and overwrites nothing unasked", async () => {
    const { images } = golden("raid5-512k");
    const before = readFileSync(images[0]!);
    const key = cryptFolder().file("a", "key");
    const refused = await run(["crypt", "luksFormat", images[0]!, key]);
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/carries something already: md .*There is no terminal to ask at/);
    const impossible = await run([
      "crypt",
      "luksFormat",
      "-q",
      ...CHEAP,
      "--cipher",
      "none-xts-plain64",
      images[0]!,
      key,
    ]);
    expect(impossible.status).toBe(1);
    expect(readFileSync(images[0]!).equals(before)).toBe(true);
  });

  test("leaves nothing of an array whose superblock is at the end", async () => {
    const { images } = golden("raid-090");
    const folder = cryptFolder(24 << 20);
    const [image] = images;
    const whole = readFileSync(image!);
    folder.file(IMAGE, Buffer.concat([new Uint8Array((24 << 20) - whole.length), whole]));
    const seen = async (): Promise<string> => (await run(["inspect", IMAGE], folder)).stdout.toString();
    expect(await seen()).toMatch(/md /);
    expect(await folder.crypt("luksFormat", "-q", ...CHEAP, IMAGE, "a")).toMatchObject({ status: 0 });
    const after = await seen();
    expect(after).toMatch(/LUKS2/);
    expect(after).not.toMatch(/md /);
  });

  test("makes a header in a file apart, and the commands find it there", async () => {
    const { crypt, judge, cwd } = cryptFolder();
    const before = readFileSync(join(cwd, IMAGE));
    const made = await crypt("luksFormat", "-q", ...CHEAP, "--header", "apart", IMAGE, "a");
    expect(made).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(join(cwd, IMAGE)).equals(before)).toBe(true);
    const added = await crypt("luksAddKey", "--header", "apart", IMAGE, "b", "-d", "a", ...CHEAP);
    expect(added).toMatchObject({ status: 0 });
    const words = ["open", "--test-passphrase", "--header", "apart", "-d", "b", IMAGE];
    expect(await crypt(...words)).toMatchObject({ status: 0 });
    if (hasCryptsetup) judge(words);
  });

  test("does not take the device for a file apart", async () => {
    const { crypt, cwd } = cryptFolder();
    symlinkSync(IMAGE, join(cwd, "link"));
    const refused = await crypt("luksFormat", "-q", ...CHEAP, "--header", "link", IMAGE, "a");
    expect(refused.status).toBe(2);
    expect(refused.stderr).toMatch(/--header names the device itself/);
    const inspected = await run(["inspect", IMAGE, "--header", IMAGE], { cwd });
    expect(inspected.status).toBe(1);
    expect(inspected.stderr).toMatch(/stand on disk\.img twice/);
  });

  test("works on a logical volume that is named with --devices", async () => {
    const group = await makeGroup();
    expect(await group.lvm("lvcreate", "-L", "4M", "-n", "safe", "vg0")).toMatchObject({ status: 0 });
    writeFileSync(join(group.cwd, "a"), "key");
    const devices = ["--devices", "d0.img", "d1.img"];
    const words = [
      "crypt",
      "luksFormat",
      "-q",
      "--type",
      "luks1",
      ...CHEAP,
      "vg0/safe",
      "--key-file",
      "a",
      ...devices,
    ];
    // It is there already, whatever it holds.
    const unasked = await run(
      words.filter((word) => word !== "-q"),
      group,
    );
    expect(unasked.status).toBe(2);
    expect(unasked.stderr).toMatch(/overwrite data on vg0\/safe irrevocably/);
    expect(await run(words, group)).toMatchObject({ status: 0, stderr: "" });
    const tested = await run(
      ["crypt", "open", "--test-passphrase", "-d", "a", "vg0/safe", ...devices],
      group,
    );
    expect(tested).toMatchObject({ status: 0 });
    const apart = await run([...words, "--header", "apart"], group);
    expect(apart).toMatchObject({ status: 0, stderr: "" });
    const seen = await run(["inspect", "d0.img", "d1.img"], group);
    expect(seen.stdout.toString()).toMatch(/vg0\/safe .*LUKS1/);
  });
});

describe("a header", () => {
  test("is saved and put back, byte for byte as cryptsetup does", async () => {
    const folder = await luksFolder();
    const { crypt, judge, cwd } = folder;
    expect(await crypt("luksHeaderBackup", IMAGE, "--header-backup-file", "saved")).toMatchObject({
      status: 0,
    });
    if (hasCryptsetup) {
      judge(["luksHeaderBackup", IMAGE, "--header-backup-file", "judged"]);
      expect(readFileSync(join(cwd, "saved")).equals(readFileSync(join(cwd, "judged")))).toBe(true);
    }
    const again = await crypt("luksHeaderBackup", IMAGE, "--header-backup-file", "saved");
    expect(again.stderr).toMatch(/such a file already/);
    await crypt("luksChangeKey", IMAGE, "b", "-d", "a", ...CHEAP);
    expect(
      await crypt("luksFormat", "-q", "--type", "luks1", ...CHEAP, "other.img", "a", "--make-images", "20M"),
    ).toMatchObject({ status: 0 });
    const other = await crypt("luksHeaderRestore", "other.img", "--header-backup-file", "saved");
    expect(other.stderr).toMatch(
      /It is LUKS1, and the backup LUKS2.*data begins at byte 2097152.*at byte 16777216/,
    );
    const asked = await crypt("luksHeaderRestore", IMAGE, "--header-backup-file", "saved");
    expect(asked.status).toBe(2);
    expect(asked.stderr).toMatch(/All keyslots of disk.img will be replaced/);
    expect(await crypt("luksHeaderRestore", "-q", IMAGE, "--header-backup-file", "saved")).toMatchObject({
      status: 0,
    });
    expect(await crypt("open", "--test-passphrase", "-d", "a", IMAGE)).toMatchObject({ status: 0 });
    expect(await crypt("open", "--test-passphrase", "-d", "b", IMAGE)).toMatchObject({ status: 1 });
  });

  test.each(["luks1", "luks2"])(
    "of %s that is damaged beyond use is restored from its backup",
    async (type) => {
      const { crypt, cwd } = await luksFolder("--type", type);
      await crypt("luksHeaderBackup", IMAGE, "--header-backup-file", "saved");
      const bytes = readFileSync(join(cwd, IMAGE));
      for (const at of [100, 16_384 + 100]) bytes.fill(0xff, at, at + 20);
      writeFileSync(join(cwd, IMAGE), bytes);
      expect(await crypt("open", "--test-passphrase", "-d", "a", IMAGE)).toMatchObject({ status: 1 });
      const asked = await crypt("luksHeaderRestore", IMAGE, "--header-backup-file", "saved");
      expect(asked.stderr).toMatch(/disk.img has no LUKS header that can be used \(/);
      expect(asked.status).toBe(2);
      const restored = await crypt("luksHeaderRestore", "-q", IMAGE, "--header-backup-file", "saved");
      expect(restored).toMatchObject({ status: 0 });
      expect(await crypt("open", "--test-passphrase", "-d", "a", IMAGE)).toMatchObject({ status: 0 });
    },
  );

  test("with a damaged copy is shown, and repaired when that is wanted", async () => {
    const folder = await luksFolder();
    const { crypt, cwd } = folder;
    const bytes = readFileSync(join(cwd, IMAGE));
    bytes.fill(0xff, 4096, 4200);
    writeFileSync(join(cwd, IMAGE), bytes);
    const seen = await crypt("luksDump", IMAGE);
    expect(seen.status).toBe(0);
    expect(seen.stderr).toMatch(/warning: .*cev crypt repair/);
    const asked = await crypt("repair", IMAGE);
    expect(asked.status).toBe(2);
    expect(asked.stderr).toMatch(/will be repaired/);
    expect(await crypt("repair", "-q", IMAGE)).toMatchObject({ status: 0 });
    expect(await crypt("luksDump", IMAGE)).toMatchObject({ status: 0, stderr: "" });
    const nothing = await crypt("repair", IMAGE, "--json");
    expect(JSON.parse(nothing.stdout.toString())).toMatchObject({ repairs: [], problems: [] });
  });

  test("has a UUID and labels, which are printed and changed", async () => {
    const { crypt, judge } = await luksFolder("--label", "old");
    const uuid = "12345678-1234-4234-8234-123456789abc";
    expect(await crypt("luksUUID", IMAGE, "--uuid", uuid)).toMatchObject({ status: 2 });
    expect((await crypt("luksUUID", "-q", IMAGE, "--uuid", uuid)).stdout.toString()).toBe(`${uuid}\n`);
    if (hasCryptsetup) expect(judge(["luksUUID", IMAGE])).toBe(`${uuid}\n`);
    expect(await crypt("config", IMAGE, "--label", "", "--subsystem", "new")).toMatchObject({ status: 0 });
    const shown = await crypt("luksDump", "--json", IMAGE);
    expect(JSON.parse(shown.stdout.toString())).toMatchObject({
      version: 2,
      uuid,
      label: "",
      subsystem: "new",
    });
  });

  test("is of one version, and isLuks tells by its exit status", async () => {
    const { crypt, file } = await luksFolder();
    file("none", new Uint8Array(1 << 20));
    expect(await crypt("isLuks", IMAGE)).toMatchObject({ status: 0, stderr: "" });
    expect(await crypt("isLuks", "--type", "luks1", IMAGE)).toMatchObject({ status: 1, stderr: "" });
    expect(await crypt("isLuks", "none")).toMatchObject({ status: 1, stderr: "" });
    const wrong = await crypt("luksDump", "--type", "luks1", IMAGE, "--json");
    expect(wrong.status).toBe(1);
    expect(JSON.parse(wrong.stdout.toString())).toMatchObject({ problems: [{ code: "CEV_NOT_FOUND" }] });
  });

  test("becomes luks2 and luks1 again, and the key opens it all the while", async () => {
    const folder = await luksFolder("--type", "luks1");
    const { crypt } = folder;
    expect(await crypt("convert", IMAGE)).toMatchObject({ status: 2 });
    expect(await crypt("convert", IMAGE, "--type", "luks2")).toMatchObject({ status: 2 });
    for (const type of ["luks2", "luks1"]) {
      expect(await crypt("convert", "-q", IMAGE, "--type", type)).toMatchObject({ status: 0, stderr: "" });
      expect(await crypt("isLuks", "--type", type, IMAGE)).toMatchObject({ status: 0 });
      expect(await crypt("open", "--test-passphrase", "-d", "a", IMAGE)).toMatchObject({ status: 0 });
      if (hasCryptsetup) folder.judge(["open", "--test-passphrase", "-d", "a", "--type", type, IMAGE]);
    }
  });

  test("carries tokens, which are exported and removed", async () => {
    const { crypt, file } = await luksFolder();
    file("token", JSON.stringify({ type: "mine", keyslots: ["0"], secret: "none" }));
    const words = ["token", "import", IMAGE, "--json-file", "token", "--token-id", "4"];
    expect(await crypt(...words)).toMatchObject({ status: 0 });
    const exported = await crypt("token", "export", IMAGE, "--token-id", "4");
    expect(JSON.parse(exported.stdout.toString())).toEqual({ type: "mine", keyslots: ["0"], secret: "none" });
    expect(await crypt("token", "remove", IMAGE, "--token-id", "4")).toMatchObject({ status: 0 });
    expect(await crypt("token", "export", IMAGE, "--token-id", "4")).toMatchObject({ status: 1 });
    expect(await crypt("token", "remove", IMAGE)).toMatchObject({ status: 2 });
  });
});

describe("what is not here", () => {
  test("is said, with what to do instead", async () => {
    const { crypt } = await luksFolder();
    const opened = await crypt("open", IMAGE, "name");
    expect(opened.status).toBe(2);
    expect(opened.stderr).toMatch(/cev serve disk\.img --device luks\/[0-9a-f-]+ --socket/);
    expect((await crypt("reencrypt", IMAGE)).stderr).toMatch(/cev crypt luksFormat, and copy with cev copy/);
    expect((await crypt("open", "--type", "plain", IMAGE, "x")).stderr).toMatch(
      /cev serve and cev copy open such/,
    );
  });

  test("an image too small is refused before anything is written", async () => {
    const { crypt, cwd } = cryptFolder();
    truncateSync(join(cwd, IMAGE), 1 << 20);
    expect(await crypt("luksFormat", "-q", ...CHEAP, IMAGE, "a")).toMatchObject({ status: 1 });
    expect(readFileSync(join(cwd, IMAGE)).every((byte) => byte === 0)).toBe(true);
  });
});
