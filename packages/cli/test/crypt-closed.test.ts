import { join } from "node:path";
import { expect, test } from "vitest";
import { CHEAP, IMAGE, hasCryptsetup, luksFolder } from "./crypt-helpers.ts";
import { hashFiles } from "./helpers.ts";
import { run } from "./in-process.ts";

test.skipIf(!hasCryptsetup)(
  "a device that cryptsetup has begun to reencrypt is shown as that, and neither opened nor written",
  async () => {
    const uuid = "12345678-1234-4234-8234-123456789abc";
    const folder = await luksFolder("--uuid", uuid);
    folder.judge(["reencrypt", "-q", "--init-only", "--resilience", "checksum", "-d", "a", ...CHEAP, IMAGE]);
    const before = hashFiles([join(folder.cwd, IMAGE)]);
    const reason = /in the middle of being reencrypted: finish that with the tool that began it/;

    const looked = await run(["inspect", IMAGE, "--key-file", "a"], folder);
    expect(looked.stdout.toString()).toContain(`LUKS2 ${uuid} (being reencrypted)`);
    expect(looked.stderr).toMatch(reason);
    for (const words of [
      ["copy", IMAGE, "--key-file", "a", "--device", `luks/${uuid}`, "--to", "out"],
      ["serve", IMAGE, "--key-file", "a", "--device", `luks/${uuid}`, "--socket", "socket"],
      ["crypt", "luksAddKey", IMAGE, "b", "-d", "a", ...CHEAP],
      ["crypt", "convert", "-q", "--type", "luks1", IMAGE],
    ]) {
      const { status, stderr } = await run(words, folder);
      expect(status, words.join(" ")).toBe(1);
      expect(stderr, words.join(" ")).toMatch(reason);
    }
    const dumped = await folder.crypt("luksDump", IMAGE);
    expect(dumped.stdout.toString()).toMatch(/^Requirements:\s+online-reencrypt-v\d/m);
    expect(hashFiles([join(folder.cwd, IMAGE)])).toBe(before);
  },
);
