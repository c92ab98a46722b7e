import { copyFileSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cev, hashDevice } from "../src/cev.ts";
import { deviceName } from "../src/device-name.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { edit, editLuksJson, editLvmText, editSuperblock, flipBit } from "../src/metadata-edits.ts";
import { chooseSeed, drawSome } from "../src/random.ts";
import type { RunResult } from "../src/run.ts";

const SEED = chooseSeed();

/** Runs `cev inspect`, and shows that the images stayed as they were. */
async function inspectUntouched(golden: GoldenCopy, args: readonly string[]): Promise<RunResult> {
  const before = golden.hashImages();
  const result = await cev(["inspect", ...args]);
  expect(golden.hashImages(), "the images are as they were").toBe(before);
  return result;
}

/** Exit status 1, and one line that has all of the words; no stack trace. */
function expectRefusal(result: RunResult, ...words: readonly RegExp[]): void {
  expect(result).toMatchObject({ status: 1 });
  expect(result.stderr, "no stack trace").not.toMatch(/^\s+at /m);
  const lines = result.stderr.split("\n").filter((line) => words.every((word) => word.test(line)));
  expect(lines, `a line with ${words.join(" and ")} in: ${result.stderr}`).not.toEqual([]);
}

describe("images that are not what they should be", () => {
  test("a truncated image", async () => {
    using golden = new GoldenCopy("stack");
    truncateSync(golden.images[1]!, 9 * 1024 * 1024);
    const result = await inspectUntouched(golden, [...golden.images, ...golden.keys]);
    expectRefusal(result, /disk1\.img/, /truncated|too small|shorter|ends/);
  });

  test("a truncated LUKS image", async () => {
    using golden = new GoldenCopy("luks-4096");
    truncateSync(golden.images[0]!, 512 * 1024);
    const result = await inspectUntouched(golden, [...golden.images, ...golden.keys]);
    expectRefusal(result, /disk0\.img/, /truncated|too small|shorter|ends|beyond/);
  });

  test("an image shorter than any metadata", async () => {
    using golden = new GoldenCopy("luks-4096");
    truncateSync(golden.images[0]!, 700);
    const result = await inspectUntouched(golden, golden.images);
    expectRefusal(result, /disk0\.img/);
  });

  test("a member of another array among the members", async () => {
    using golden = new GoldenCopy("stack");
    using other = new GoldenCopy("raid5-4k");
    const images = [...golden.images.slice(0, 3), other.images[0]!];
    const result = await inspectUntouched(golden, [...images, ...golden.keys]);
    expectRefusal(result, /oracle:small-chunks/, /member/);
    const copy = await hashDevice("vg0/other", [...images, ...golden.keys]);
    expect(copy, "the array that has enough members is there").toMatchObject({
      status: 0,
      sha256: golden.layer("vg0/other").sha256,
    });
  });

  test("two arrays with one UUID: the same member twice", async () => {
    using golden = new GoldenCopy("stack");
    const twin = join(golden.folder, "twin.img");
    copyFileSync(golden.images[2]!, twin);
    const result = await inspectUntouched(golden, [...golden.images, twin]);
    expectRefusal(result, /twin\.img/, /disk2\.img/);
  });

  test("two arrays with one UUID: members that differ in size and chunks", async () => {
    using golden = new GoldenCopy("raid5-4k");
    using other = new GoldenCopy("raid5-512k");
    let uuid = Buffer.alloc(0);
    edit(golden.images[0]!, 4096 + 16, 16, (bytes) => (uuid = Buffer.from(bytes)));
    for (const image of other.images) editSuperblock(image, (bytes) => void uuid.copy(bytes, 16));
    const result = await inspectUntouched(golden, [...golden.images, ...other.images]);
    expectRefusal(result, /UUID|uuid/);
  });

  test("two disks with one LUKS UUID", async () => {
    using golden = new GoldenCopy("luks-pbkdf2");
    const twin = join(golden.folder, "twin.img");
    copyFileSync(golden.images[0]!, twin);
    const result = await inspectUntouched(golden, [...golden.images, twin, ...golden.keys]);
    expectRefusal(result, /twin\.img/, /UUID|uuid/);
  });

  test("a wrong passphrase", async () => {
    using golden = new GoldenCopy("luks-pbkdf2");
    const result = await inspectUntouched(golden, [
      ...golden.images,
      "--passphrase-file",
      golden.secondPassphraseFile,
    ]);
    expectRefusal(result, /disk0\.img|luks\//, /passphrase|key/);
  });

  test("a file of no format known", async () => {
    using golden = new GoldenCopy("stack");
    const result = await cev(["inspect", golden.passphraseFile]);
    expectRefusal(result, /passphrase/);
  });

  test("a file that is not there", async () => {
    expectRefusal(await cev(["inspect", "/nonexistent/disk.img"]), /\/nonexistent\/disk\.img/);
  });
});

// Some of the places, all of them where CEV_ALL_CASES is set; flipped-bits.test.ts tries any bit.
describe(`one flipped bit in an md superblock, CEV_SEED=${SEED}`, () => {
  // Magic, version, feature map, level, checksum, roles.
  for (const offset of drawSome([0, 4, 8, 72, 216, 256], 2, SEED)) {
    test(`at ${offset}: named, and the other members carry on`, async () => {
      using golden = new GoldenCopy("raid5-4k");
      flipBit(golden.images[1]!, 4096 + offset);
      const result = await inspectUntouched(golden, golden.images);
      if (offset === 0) expectRefusal(result, /disk1\.img/);
      else expectRefusal(result, /disk1\.img/, /superblock/, offset === 4 ? /4100/ : /4096|4312/);
      const copy = await hashDevice(deviceName(golden.manifest, "md"), golden.images);
      expect(copy).toMatchObject({ status: 0, sha256: golden.layer("md").sha256 });
    });
  }
});

describe(`one flipped bit in a LUKS2 header, CEV_SEED=${SEED}`, () => {
  // Magic, version, header size, checksum algorithm, checksum, JSON.
  for (const offset of drawSome([0, 6, 8, 72, 448, 4200], 2, SEED)) {
    test(`at ${offset} of the first copy: the second is used, and that is said`, async () => {
      using golden = new GoldenCopy("luks-pbkdf2");
      flipBit(golden.images[0]!, offset, 1);
      const before = golden.hashImages();
      const result = await hashDevice(deviceName(golden.manifest, "luks"), [
        ...golden.images,
        ...golden.keys,
      ]);
      expect(result).toMatchObject({ status: 0, sha256: golden.layer("luks").sha256 });
      expect(result.stderr).toMatch(/disk0\.img.*(second|secondary|backup|copy)/);
      expect(golden.hashImages(), "reading repairs nothing").toBe(before);
    });

    test(`at ${offset} of the second copy: the first is used, and that is said`, async () => {
      using golden = new GoldenCopy("luks-pbkdf2");
      flipBit(golden.images[0]!, 16_384 + offset, 1);
      const result = await hashDevice(deviceName(golden.manifest, "luks"), [
        ...golden.images,
        ...golden.keys,
      ]);
      expect(result).toMatchObject({ status: 0, sha256: golden.layer("luks").sha256 });
      expect(result.stderr).toMatch(/disk0\.img.*(second|secondary|backup|copy)/);
    });
  }

  test("in both copies: refused", async () => {
    using golden = new GoldenCopy("luks-pbkdf2");
    flipBit(golden.images[0]!, 4200);
    flipBit(golden.images[0]!, 16_384 + 4200);
    const result = await inspectUntouched(golden, [...golden.images, ...golden.keys]);
    expectRefusal(result, /disk0\.img/, /header/, /\d/);
  });

  test("in the keyslot area: the passphrase does not open it any more", async () => {
    using golden = new GoldenCopy("luks-pbkdf2");
    flipBit(golden.images[0]!, 32_768 + 100);
    const result = await inspectUntouched(golden, [...golden.images, ...golden.keys]);
    expectRefusal(result, /disk0\.img|luks\//, /passphrase|key/);
  });
});

describe("one flipped bit in LVM2 metadata", () => {
  // The label sector holds the label and the physical volume's header; the area's header and text have a twin on
  // the other physical volume.
  for (const offset of [512, 520, 528, 544]) {
    test(`at ${offset}, in the label: refused`, async () => {
      using golden = new GoldenCopy("lvm");
      flipBit(golden.images[0]!, offset);
      const result = await inspectUntouched(golden, golden.images);
      expectRefusal(result, /disk0\.img/, ...(offset === 512 ? [] : [/label/, /512|520|528|544/]));
    });
  }

  for (const [what, at] of [
    ["the area's header", 4096 + 8],
    ["the area's pointer to the text", 4096 + 40],
    ["the checksum of the text", 4096 + 56],
  ] as const) {
    test(`in ${what}: the other volume's copy is used, and that is said`, async () => {
      using golden = new GoldenCopy("lvm");
      flipBit(golden.images[0]!, at);
      await expectTwinUsed(golden);
    });
  }

  test("in the text: the other volume's copy is used, and that is said", async () => {
    using golden = new GoldenCopy("lvm");
    flipBit(golden.images[0]!, 4096 + Number(golden.manifest.facts["mda.textOffset"]) + 100);
    await expectTwinUsed(golden);
  });

  test("in the text of the only volume: refused", async () => {
    using golden = new GoldenCopy("gpt");
    const start = 8192 * 512 + 4096;
    let textOffset = 0;
    edit(golden.images[0]!, start, 512, (bytes) => (textOffset = Number(bytes.readBigUInt64LE(40))));
    flipBit(golden.images[0]!, start + textOffset + 50);
    expectRefusal(await inspectUntouched(golden, golden.images), /disk0\.img\/p2/, /metadata|text/, /\d/);
  });

  async function expectTwinUsed(golden: GoldenCopy): Promise<void> {
    const before = golden.hashImages();
    const copy = await hashDevice("vg1/linear", golden.images);
    expect(copy).toMatchObject({ status: 0, sha256: golden.layer("vg1/linear").sha256 });
    expect(copy.stderr).toMatch(/disk0\.img/);
    expect(golden.hashImages(), "reading repairs nothing").toBe(before);
  }
});

describe("features that are not known", () => {
  test("a bit of an md superblock's feature map", async () => {
    using golden = new GoldenCopy("raid5-4k");
    for (const image of golden.images) editSuperblock(image, (bytes) => void bytes.writeUInt32LE(0x8000, 8));
    expectRefusal(await inspectUntouched(golden, golden.images), /disk\d\.img/, /feature/, /4104|offset/);
  });

  test("a mandatory requirement in a LUKS2 header", async () => {
    using golden = new GoldenCopy("luks-pbkdf2");
    const require = (json: string): string =>
      json.replace('"config":{', '"config":{"requirements":{"mandatory":["from-the-future"]},');
    editLuksJson(golden.images[0]!, require);
    const result = await inspectUntouched(golden, [...golden.images, ...golden.keys]);
    expectRefusal(result, /disk0\.img/, /from-the-future/);
  });

  test("a kind of LVM2 segment", async () => {
    using golden = new GoldenCopy("gpt");
    editLvmText(golden.images[0]!, 8192 * 512, (text) =>
      text.replace('type = "striped"', 'type = "strangd"'),
    );
    expectRefusal(await inspectUntouched(golden, golden.images), /vg2\/data|disk0\.img/, /strangd/);
  });

  test("a status flag of an LVM2 volume group", async () => {
    using golden = new GoldenCopy("gpt");
    editLvmText(golden.images[0]!, 8192 * 512, (text) => text.replace('"RESIZEABLE"', '"STRANGEABL"'));
    expectRefusal(await inspectUntouched(golden, golden.images), /vg2|disk0\.img/, /STRANGEABL/);
  });
});
