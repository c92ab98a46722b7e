import { describe, expect, test } from "vitest";
import { GOLDEN_SETS } from "../golden/sets.ts";
import { cev, hashDevice, inspect } from "../src/cev.ts";
import { deviceName } from "../src/device-name.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { hashOf, openFiles } from "../src/open-disks.ts";
import { Random, chooseSeed, drawSome } from "../src/random.ts";

const random = new Random(1);
const SEED = chooseSeed();

describe("cev reads what the kernel made", () => {
  for (const { name, description } of GOLDEN_SETS) {
    test(`${name}: ${description}`, async () => {
      using golden = new GoldenCopy(name);
      const before = golden.hashImages();
      const sources = [...random.shuffle(golden.images), ...golden.keys];

      const found = await inspect(sources);
      expect(found, found.stderr).toMatchObject({ status: 0 });
      await using stack = await openFiles(golden.images, golden.manifest.passphrase);
      for (const layer of golden.manifest.layers) {
        const device = deviceName(golden.manifest, layer.name);
        expect(found.devices, `${device} is in the tree`).toContainEqual(
          expect.objectContaining({ name: device, size: layer.size }),
        );
        expect(await hashOf(stack, device), device).toBe(layer.sha256);
      }

      expect(golden.hashImages(), "the images are as they were").toBe(before);
    });
  }
});

// Without any one member, without each where CEV_ALL_CASES is set.
describe(`cev reads a degraded array, CEV_SEED=${SEED}`, () => {
  for (const missing of drawSome([0, 1, 2, 3], 1, SEED)) {
    test(`the whole stack without member ${missing}`, async () => {
      using golden = new GoldenCopy("stack");
      const before = golden.hashImages();
      const members = random.shuffle(golden.images.filter((_, index) => index !== missing));
      const { size, sha256 } = golden.layer("vg0/root");

      const copy = await hashDevice("vg0/root", [...members, ...golden.keys]);
      expect(copy, copy.stderr).toMatchObject({ status: 0, size, sha256 });
      expect(copy.stderr, "a warning").toMatch(/degraded/);
      expect(golden.hashImages(), "the images are as they were").toBe(before);
    });
  }

  for (const name of ["raid5-4k", "raid5-512k"]) {
    for (const missing of drawSome([0, 1, 2], 1, SEED)) {
      test(`${name} without member ${missing}`, async () => {
        using golden = new GoldenCopy(name);
        const members = golden.images.filter((_, index) => index !== missing);
        await using stack = await openFiles(members);
        expect(await hashOf(stack, deviceName(golden.manifest, "md"))).toBe(golden.layer("md").sha256);
      });
    }
  }

  test("a member that fell behind is left out, whether it is there or not", async () => {
    using golden = new GoldenCopy("raid5-stale");
    const { sha256 } = golden.layer("md");
    const device = deviceName(golden.manifest, "md");
    const withStale = await hashDevice(device, golden.images);
    expect(withStale, withStale.stderr).toMatchObject({ status: 0, sha256 });
    expect(withStale.stderr, "says which member is not used").toMatch(/disk1\.img/);
    const withoutStale = await hashDevice(
      device,
      golden.images.filter((_, index) => index !== 1),
    );
    expect(withoutStale, withoutStale.stderr).toMatchObject({ status: 0, sha256 });
  });

  test("a member that fell behind does not stand in for one that is missing", async () => {
    using golden = new GoldenCopy("raid5-stale");
    const copy = await hashDevice(deviceName(golden.manifest, "md"), golden.images.slice(0, 3));
    expect(copy, copy.stderr).toMatchObject({ status: 1, size: 0 });
    expect(copy.stderr).toMatch(/disk1\.img/);
  });

  test("a dirty array with a member missing is refused: its parity cannot be trusted", async () => {
    using golden = new GoldenCopy("raid5-dirty");
    const copy = await hashDevice(deviceName(golden.manifest, "md"), golden.images.slice(0, 2));
    expect(copy, copy.stderr).toMatchObject({ status: 1, size: 0 });
    expect(copy.stderr).toMatch(/dirty|not clean|unclean/);
  });

  test("two members missing of a RAID5 is one too many", async () => {
    using golden = new GoldenCopy("stack");
    const result = await cev(["inspect", ...golden.images.slice(0, 2)]);
    expect(result).toMatchObject({ status: 1 });
    expect(result.stderr).toMatch(/array oracle:stack/);
  });
});

describe("keys", () => {
  test("the second keyslot (pbkdf2) opens the same data", async () => {
    using golden = new GoldenCopy("stack");
    const { sha256 } = golden.layer("vg0/other");
    const copy = await hashDevice("vg0/other", [
      ...golden.images,
      "--passphrase-file",
      golden.secondPassphraseFile,
    ]);
    expect(copy, copy.stderr).toMatchObject({ status: 0, sha256 });
  });

  test("each key is tried on each lock", async () => {
    using golden = new GoldenCopy("luks-4096");
    const wrong = golden.images[0]!;
    const { sha256 } = golden.layer("luks");
    const copy = await hashDevice(deviceName(golden.manifest, "luks"), [
      ...golden.images,
      "--passphrase-file",
      golden.secondPassphraseFile,
      "--key-file",
      wrong,
      ...golden.keys,
    ]);
    expect(copy, copy.stderr).toMatchObject({ status: 0, sha256 });
  });
});
