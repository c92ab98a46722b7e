import { expect, test } from "vitest";
import { GoldenCopy } from "../src/golden-copy.ts";
import { editLuksJson, editLvmText, editSuperblock } from "../src/metadata-edits.ts";

// The tests of bad input change metadata and make its checksums fit. Here nothing is changed: what comes out has to
// be what the kernel's tools wrote, checksums included.

test("an md superblock that is only rewritten stays as the kernel wrote it", () => {
  for (const name of ["stack", "raid5-4k", "raid5-stale"]) {
    using golden = new GoldenCopy(name);
    const before = golden.hashImages();
    for (const image of golden.images) editSuperblock(image, () => undefined);
    expect(golden.hashImages()).toBe(before);
  }
});

test("a LUKS2 header that is only rewritten stays as cryptsetup wrote it", () => {
  for (const name of ["luks-4096", "luks-pbkdf2"]) {
    using golden = new GoldenCopy(name);
    const before = golden.hashImages();
    editLuksJson(golden.images[0]!, (json) => json);
    expect(golden.hashImages()).toBe(before);
  }
});

test("LVM2 metadata that is only rewritten stays as LVM wrote it", () => {
  using golden = new GoldenCopy("gpt");
  const before = golden.hashImages();
  editLvmText(golden.images[0]!, 8192 * 512, (text) => text);
  expect(golden.hashImages()).toBe(before);
});
