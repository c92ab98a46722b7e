import { isCevError } from "@cev/core";
import { describe, expect, test } from "vitest";
import { GoldenCopy } from "../src/golden-copy.ts";
import { edit, editLuksJson, editLvmText, editSuperblock } from "../src/metadata-edits.ts";
import { openFiles } from "../src/open-disks.ts";
import { Random, chooseSeed } from "../src/random.ts";

// A hundred where CEV_ALL_CASES is set.
const ROUNDS = process.env["CEV_ALL_CASES"] === undefined ? 15 : 100;
const METADATA_LENGTH = 65_536;
const TEXTS = [
  "0",
  "1",
  "-1",
  "512",
  "4294967296",
  "18446744073709551615",
  "1e308",
  "[]",
  "{}",
  '"x"',
  "null",
  "",
];

/** Says what it wants in place of a piece of text. */
function forgeText(random: Random, text: string, keepsLength: boolean): string {
  const pieces = [...text.matchAll(/"[^"]*"|\b\d+\b/g)];
  const piece = random.pick(pieces);
  let forged = random.pick(TEXTS);
  if (keepsLength) forged = forged.slice(0, piece[0].length).padEnd(piece[0].length);
  return text.slice(0, piece.index) + forged + text.slice(piece.index + piece[0].length);
}

interface Case {
  readonly structure: string;
  readonly golden: string;
  /** Where the metadata lies in the images. */
  readonly base: number;
  readonly forge: (random: Random, images: readonly string[]) => void;
}

const CASES: readonly Case[] = [
  {
    structure: "md superblock",
    golden: "raid5-4k",
    base: 0,
    forge(random, images) {
      const offset = random.below(256);
      const length = Math.min(random.pick([1, 4, 8]), 256 - offset);
      const value = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
      const forged = random.below(2) === 0 ? images : [random.pick(images)];
      for (const image of forged)
        editSuperblock(image, (bytes) => void bytes.fill(value, offset, offset + length));
    },
  },
  {
    structure: "LUKS2 header",
    golden: "luks-pbkdf2",
    base: 0,
    forge(random, images) {
      const seed = random.below(2 ** 32);
      // The same in both copies.
      editLuksJson(images[0]!, (json) => forgeText(new Random(seed), json, false));
    },
  },
  {
    structure: "LVM2 metadata",
    golden: "gpt",
    base: 8192 * 512,
    forge(random, images) {
      editLvmText(images[0]!, 8192 * 512, (text) => forgeText(random, text, true));
    },
  },
];

describe("metadata whose checksums hold and whose content makes no sense", () => {
  for (const { structure, golden: name, base, forge } of CASES) {
    const seed = chooseSeed();
    test(`${structure}: refused with a code and one line, or read within bounds, CEV_SEED=${seed}`, async () => {
      using golden = new GoldenCopy(name);
      const random = new Random(seed);
      const originals = golden.images.map((image) => read(image, base));
      for (let round = 0; round < ROUNDS; round++) {
        forge(random, golden.images);
        const forged = golden.hashImages();
        await expectOrderly(golden);
        expect(golden.hashImages(), "nothing is written").toBe(forged);
        for (const [index, original] of originals.entries()) {
          edit(golden.images[index]!, base, METADATA_LENGTH, (bytes) => void original.copy(bytes));
        }
      }
    });
  }
});

/** Opens what can be opened and reads both ends of it. */
async function expectOrderly(golden: GoldenCopy): Promise<void> {
  await using stack = await openFiles(golden.images, golden.manifest.passphrase);
  for (const { message } of stack.problems) expect(message).toMatch(/^[^\n]+$/);
  for (const { name, layer, lowers } of stack.devices) {
    if (layer === null || lowers.length === 0) continue;
    const device = await stack.open(name);
    try {
      const length = Math.min(4096, device.size);
      await device.read(0, length);
      await device.read(device.size - length, length);
    } catch (error) {
      if (!isCevError(error)) throw error;
    } finally {
      await device.close();
    }
  }
}

function read(path: string, offset: number): Buffer {
  let found = Buffer.alloc(0);
  edit(path, offset, METADATA_LENGTH, (bytes) => (found = Buffer.from(bytes)));
  return found;
}
