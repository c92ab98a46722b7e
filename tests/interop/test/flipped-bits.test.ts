import { isCevError } from "@cev/core";
import type { Details, Device, Driver } from "@cev/core";
import { cryptDriver } from "@cev/crypt";
import { expect, test } from "vitest";
import { GoldenCopy } from "../src/golden-copy.ts";
import { loadDisk, withFlippedBit } from "../src/memory-disk.ts";
import { Random, chooseSeed } from "../src/random.ts";

const FLIPS = 500;

type Outcome =
  | { readonly kind: "found"; readonly details: Details }
  | { readonly kind: "unknown" }
  | { readonly kind: "refused"; readonly line: string };

/** What a driver says to a disk; an error that does not name structure and offset is none that is allowed. */
async function probe(driver: Driver<never>, device: Device): Promise<Outcome> {
  try {
    const finding = await driver.probe!(device);
    return finding === null ? { kind: "unknown" } : { kind: "found", details: finding.details };
  } catch (error) {
    if (!isCevError(error)) throw error;
    expect(error.code).toMatch(/^CEV_(BAD_METADATA|UNKNOWN_FEATURE)$/);
    expect(error.place).toMatchObject({
      source: "disk",
      structure: expect.any(String) as string,
      byteOffset: expect.any(Number) as number,
    });
    return { kind: "refused", line: error.message };
  }
}

const seed = chooseSeed();

test(`LUKS2: any bit of either header copy may be wrong, the other copy says the same, CEV_SEED=${seed}`, async () => {
  using golden = new GoldenCopy("luks-pbkdf2");
  await using disk = await loadDisk(golden.images[0]!, "disk");
  const whole = await probe(cryptDriver as Driver<never>, disk);
  if (whole.kind !== "found") throw new Error("the golden image is not found to be LUKS2");
  expect(whole.details).not.toHaveProperty("problem");
  const random = new Random(seed);
  for (let flip = 0; flip < FLIPS; flip++) {
    const place = { offset: random.below(2 * 16_384), bit: random.below(8) };
    // The checksum has room for 64 bytes; SHA-256 takes 32, and nobody looks at the rest.
    if (place.offset % 16_384 >= 480 && place.offset % 16_384 < 512) continue;
    const outcome = await withFlippedBit(disk, place, () => probe(cryptDriver as Driver<never>, disk));
    expect(outcome, `bit ${place.bit} at ${place.offset}`).toEqual({
      kind: "found",
      details: { ...whole.details, problem: expect.any(String) as string },
    });
  }
});
