import { existsSync, readdirSync } from "node:fs";
import { environmentFrom } from "@cev/core";
import type { Device } from "@cev/core";
import { findHoleFinder } from "@cev/hw-file";
import { openImages } from "@cev/stack";
import type { Stack } from "@cev/stack";
import { describe, expect, test } from "vitest";
import { standardDrivers } from "@cev/cli";
import { readGoldenManifest } from "../golden/unpack.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { chooseSeed, drawSome } from "../src/random.ts";

const READ_MAX = 1 << 20;
const ZEROES = Buffer.alloc(READ_MAX);

function open(images: readonly string[]): Promise<Stack> {
  const environment = environmentFrom(globalThis);
  return openImages(images, { environment, drivers: standardDrivers(), isReadOnly: true });
}

/** How many bytes a device calls zeroes, and the first of them that is not; -1: all are. */
async function checkZeroes(device: Device): Promise<{ claimed: number; wrongAt: number }> {
  let at = 0;
  let claimed = 0;
  let wrongAt = -1;
  for (const { length, isZero } of await device.extents(0, device.size)) {
    for (let offset = at; isZero && offset < at + length; offset += READ_MAX) {
      const data = await device.read(offset, Math.min(READ_MAX, at + length - offset));
      claimed += data.length;
      if (wrongAt < 0 && ZEROES.compare(data, 0, data.length, 0, data.length) !== 0)
        wrongAt = offset + data.findIndex((byte) => byte !== 0);
    }
    at += length;
  }
  expect(at, "bytes that the extents cover").toBe(device.size);
  return { claimed, wrongAt };
}

/** Every device of a set of images that can be opened and read. */
async function checkAll(images: readonly string[]): Promise<number> {
  const stack = await open(images);
  let claimed = 0;
  try {
    for (const { name } of stack.devices) {
      // What cannot be opened tells nothing.
      const device = await stack.open(name).catch(() => null);
      if (device === null) continue;
      const found = await checkZeroes(device);
      expect(found.wrongAt, `${name}: a byte that is told to be zero, and is not`).toBe(-1);
      claimed += found.claimed;
      await device.close();
    }
  } finally {
    await stack.close();
  }
  return claimed;
}

const folder = new URL("../golden/", import.meta.url);
// Keys that take long to derive are others' to test: what is encrypted never reads as zeroes.
const all = readdirSync(folder).filter(
  (name) =>
    existsSync(new URL(`${name}/manifest.json`, folder)) && readGoldenManifest(name).passphrase === undefined,
);
const SEED = chooseSeed();
const plain = drawSome(all, Math.ceil(all.length / 3), SEED);

describe.skipIf(findHoleFinder() === null)(
  `what stacks over images of the kernel's tell to be zeroes is read as zeroes (needs node:ffi), one of three images, CEV_SEED=${SEED}`,
  () => {
    test.each(plain.map((name) => [name]))("%s, with all images and without one", async (name) => {
      using set = new GoldenCopy(name);
      const claimed = await checkAll(set.images);
      // Random bytes from end to end.
      if (name !== "raid-090") expect(claimed).toBeGreaterThan(0);
      if (set.images.length > 1) await checkAll(set.images.toSpliced(1, 1));
    });
  },
);
