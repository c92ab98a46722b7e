import { isCevError } from "@cev/core";
import { MemoryLayer, Random } from "@cev/test-kit";
import { expect, test } from "vitest";
import { headerDevice, headerSourceOf } from "../src/header/header-device.ts";
import { readLuksVolume } from "../src/header/read-volume.ts";
import { openLuks } from "../src/index.ts";
import { openLuks2Editor } from "../src/luks2/editor.ts";
import { goldenImage } from "./luks2-image.ts";
import { COPY, copiesOf, environment, smallVolume } from "./small-volume.ts";

// A sample; every bit of both copies is flipped by `pnpm run crypt-matrix --what hostile --flips 1`.
const SEED = Number(process.env["CEV_SEED"] ?? Date.now() % 1_000_000);
const FLIPS = 1000;
const OPENED = 12;

function layerOf(image: Uint8Array): MemoryLayer {
  return new MemoryLayer(environment, { size: image.length, contents: image.slice() });
}

/** Bits of both copies; half of them where the fields and the JSON text are, for most of a copy is zero. */
function bits(random: Random, count: number): number[] {
  return Array.from({ length: count }, (_, index) => {
    const copy = random.below(2) * COPY;
    const at =
      index % 2 === 0 ? random.below(COPY) : random.pick([random.below(512), 4096 + random.below(1024)]);
    return (copy + at) * 8 + random.below(8);
  });
}

/** Behind the 32 bytes of a sha256 checksum its field holds nothing, and nobody looks at it. */
const isUnused = (bit: number): boolean => (bit >> 3) % COPY >= 480 && (bit >> 3) % COPY < 512;

const flip = (image: Uint8Array, bit: number): void => void (image[bit >> 3]! ^= 1 << (bit & 7));

test(`any one bit of either header copy flipped: the other one says the same (seed ${SEED})`, async () => {
  const image = await smallVolume();
  const source = headerSourceOf(layerOf(image), environment);
  const expected = JSON.stringify((await readLuksVolume(source))!.volume);
  const read = (offset: number, length: number): Promise<Uint8Array> =>
    Promise.resolve(image.slice(offset, offset + length));
  for (const bit of bits(new Random(SEED), FLIPS)) {
    const name = `bit ${bit & 7} of byte ${bit >> 3}`;
    flip(image, bit);
    const found = await readLuksVolume({ ...source, read });
    flip(image, bit);
    expect(JSON.stringify(found?.volume), name).toBe(expected);
    const used = bit >> 3 < COPY ? "the copy at byte 16384 is used" : "the copy at byte 0 is used";
    expect(found?.problem ?? "none", name).toContain(isUnused(bit) ? "none" : used);
  }
});

test(`any one bit flipped: the device opens, nothing is written, and the next change makes both copies whole (seed ${SEED})`, async () => {
  const { bytes, passphrase } = goldenImage();
  for (const bit of bits(new Random(SEED + 1), OPENED)) {
    const name = `bit ${bit & 7} of byte ${bit >> 3}`;
    const image = bytes.slice();
    flip(image, bit);
    const lower = layerOf(image);
    expect((await openLuks(lower, { environment, keys: [passphrase] })).keyslotId, name).toBe(0);
    expect(Buffer.compare(lower.bytes, image), name).toBe(0);
    await (await openLuks2Editor(headerDevice(lower, environment))).rename({ label: "whole" });
    expect((await copiesOf(lower.bytes)).other, name).toBe("same");
    expect((await openLuks(lower, { environment, keys: [passphrase] })).keyslotId, name).toBe(0);
  }
});

test(`a bit flipped in each copy is a clear error, and nothing is written (seed ${SEED})`, async () => {
  const image = await smallVolume();
  const random = new Random(SEED + 2);
  for (let round = 0; round < 100; round++) {
    const damaged = image.slice();
    const flipped = [random.below(COPY * 8), COPY * 8 + random.below(COPY * 8)];
    if (flipped.some(isUnused)) continue;
    for (const bit of flipped) flip(damaged, bit);
    const lower = layerOf(damaged);
    const reason: unknown = await openLuks2Editor(headerDevice(lower, environment)).catch(
      (error: unknown) => error,
    );
    expect(isCevError(reason) ? reason.code : reason, `bits ${flipped.join(" and ")}`).toMatch(
      /^CEV_(?:BAD_METADATA|UNKNOWN_FEATURE)$/,
    );
    expect(Buffer.compare(lower.bytes, damaged)).toBe(0);
  }
});
