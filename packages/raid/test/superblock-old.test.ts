import { MetadataError } from "@cev/core";
import { fc, test } from "@fast-check/vitest";
import { describe, expect, it } from "vitest";
import { checksumOf } from "../src/metadata/superblock-bytes.ts";
import { FeatureFlag } from "../src/metadata/superblock-features.ts";
import { DeviceFlag, Role, decodeSuperblock, encodeSuperblock, ownRole } from "../src/metadata/superblock.ts";
import type { Superblock } from "../src/metadata/superblock.ts";
import { bitmapUuid, readSuperblock, superblockOffset } from "../src/metadata/member-scan.ts";
import { makeSuperblock, memberSize } from "./support/make-array.ts";
import { OLD_DEVICE_SIZE, OLD_SUPERBLOCKS, oldSuperblock } from "./support/old-superblocks.ts";

const BYTE_OFFSET = OLD_DEVICE_SIZE - 65_536;
const PLACE = {
  source: "disk0.img",
  deviceSize: OLD_DEVICE_SIZE,
  version: "0.90",
  byteOffset: BYTE_OFFSET,
} as const;
const SPARE = "a spare of a RAID5 with a bitmap";
const DEGRADED = "a member of a RAID5 from which two others have failed";
const MIRROR = "a RAID1 without its second member, while it is written";
const LINEAR = "a linear array that mdadm made and the kernel never updated";

const decode = (bytes: Uint8Array): Superblock => decodeSuperblock(bytes, PLACE);

function failureOf(bytes: Uint8Array): MetadataError {
  try {
    decode(bytes);
  } catch (error) {
    if (error instanceof MetadataError) return error;
    throw error;
  }
  throw new Error("the superblock was accepted");
}

/** One of the kernel's superblocks with some words changed, and its checksum right. */
function changed(name: string, words: readonly (readonly [number, number])[]): Uint8Array {
  const bytes = oldSuperblock(name);
  const view = new DataView(bytes.buffer);
  for (const [word, value] of words) view.setUint32(4 * word, value, true);
  view.setUint32(152, checksumOf(bytes, 4096, 152), true);
  return bytes;
}

describe("a superblock of version 0.90", () => {
  it.each(Object.keys(OLD_SUPERBLOCKS))("of %s is encoded again to the same bytes", (name) => {
    const bytes = oldSuperblock(name);
    expect(Buffer.compare(encodeSuperblock(decode(bytes)), bytes)).toBe(0);
  });

  it("becomes the same model as the others", () => {
    const superblock = decode(oldSuperblock(SPARE));
    expect(superblock).toMatchObject({
      version: "0.90",
      features: FeatureFlag.bitmap,
      arrayName: "",
      level: 5,
      layout: 2,
      sizeSectors: 8128 * 2,
      chunkSectors: 128,
      memberCount: 3,
      bitmapOffsetSectors: 8,
      dataOffsetSectors: 0,
      dataSizeSectors: BYTE_OFFSET / 512,
      superOffsetSectors: BYTE_OFFSET / 512,
      deviceNumber: 3,
      resyncSectors: null,
      reshape: null,
      remnants: null,
    });
    expect(superblock.arrayUuid).toMatch(/^[0-9a-f]{8}(:[0-9a-f]{8}){3}$/);
    expect(superblock.roles.slice(0, 5)).toEqual([0, 1, 2, Role.spare, Role.spare]);
    expect(superblock.old!.devices.map(({ number }) => number)).toEqual([0, 1, 2, 3]);
    expect(ownRole(superblock)).toBe(Role.spare);
  });

  it("says which devices have failed, and leaves out those that were removed", () => {
    const { roles, memberCount } = decode(oldSuperblock(DEGRADED));
    expect(memberCount).toBe(3);
    expect(roles.slice(0, 6)).toEqual([0, 1, Role.spare, Role.faulty, Role.faulty, Role.spare]);
  });

  it("that is dirty is known to agree nowhere", () => {
    const superblock = decode(oldSuperblock(MIRROR));
    expect(superblock.resyncSectors).toBe(0);
    expect(superblock.deviceFlags).toBe(0);
  });

  it("gives a resync's position only where that was written with the last event", () => {
    const { eventCount } = decode(oldSuperblock(MIRROR));
    const position = [
      [41, Number(eventCount)],
      [43, 512],
    ] as const;
    expect(decode(changed(MIRROR, position)).resyncSectors).toBe(512);
    expect(decode(changed(MIRROR, [position[1]])).resyncSectors).toBe(0);
  });

  it("keeps what means nothing until it is updated", () => {
    const superblock = decode(oldSuperblock(LINEAR));
    expect(superblock.remnants).not.toBeNull();
    const updated = decode(encodeSuperblock({ ...superblock, eventCount: 9n }));
    expect(updated.remnants).toBeNull();
    expect({ ...updated, eventCount: superblock.eventCount, remnants: null }).toEqual({
      ...superblock,
      remnants: null,
    });
  });

  it("of a member that failed in its place is written as the kernel does: elsewhere, its place removed", () => {
    const before = decode(oldSuperblock(SPARE));
    const roles = before.roles.map((role, number) => (number === 1 ? Role.faulty : role));
    const bytes = encodeSuperblock({ ...before, roles, eventCount: before.eventCount + 1n });
    const after = decode(bytes);
    expect(after.roles.slice(0, 6)).toEqual([0, Role.spare, 2, Role.spare, Role.faulty, Role.spare]);
    const view = new DataView(bytes.buffer);
    const descriptor = [0, 1, 2, 3, 4].map((index) => view.getUint32(512 + 128 + 4 * index, true));
    expect(descriptor).toEqual([1, 0, 0, 1, 9]);
    expect(view.getUint32(144, true), "failed devices").toBe(1);
  });

  it("of a spare that took a place has the number of that place", () => {
    const before = decode(oldSuperblock(SPARE));
    const roles = before.roles.map((role, number) => (number === 1 ? Role.faulty : number === 3 ? 1 : role));
    const after = decode(encodeSuperblock({ ...before, roles, eventCount: 100n }));
    expect(after.deviceNumber).toBe(1);
    expect(ownRole(after)).toBe(1);
    expect(after.old!.devices.map(({ number, minor }) => [number, minor])).toEqual([
      [0, 0],
      [1, 48],
      [2, 32],
      [3, 16],
    ]);
  });

  it("of a member that is being rebuilt makes it a spare: there is no room for how far it has come", () => {
    const before = decode(oldSuperblock(SPARE));
    const roles = before.roles.map((role, number) => (number === 1 ? Role.spare : number === 3 ? 1 : role));
    const features = before.features | FeatureFlag.recovery;
    const after = decode(
      encodeSuperblock({ ...before, roles, features, recoverySectors: 64, eventCount: 100n }),
    );
    expect(ownRole(after)).toBe(Role.spare);
    expect(after.roles[1]).toBe(Role.spare);
  });

  it("keeps flags of devices, and the shape of after a reshape", () => {
    const before = decode(oldSuperblock(SPARE));
    const reshape = {
      positionSectors: 2560,
      level: 5,
      memberDelta: 1,
      layout: 2,
      chunkSectors: 256,
      offsetSectors: 0,
    };
    const roles = before.roles.map((role, number) => (number === 3 ? 3 : role));
    const model: Superblock = {
      ...before,
      features: before.features | FeatureFlag.reshape,
      memberCount: 4,
      reshape,
      roles,
      deviceFlags: DeviceFlag.writeMostly,
      eventCount: 100n,
    };
    const bytes = encodeSuperblock(model);
    expect(new DataView(bytes.buffer).getUint32(8, true)).toBe(91);
    const after = decode(bytes);
    expect(after.reshape).toEqual(reshape);
    expect(after.deviceFlags).toBe(DeviceFlag.writeMostly);
    expect(after.features).toBe(model.features);
    expect(after.roles).toEqual(roles);
  });

  it("has its bitmap speak of the UUID in another order of bytes", () => {
    const superblock = { ...decode(oldSuperblock(SPARE)), arrayUuid: "f3349f45:deec5cc8:b6641343:7cc40f45" };
    expect(bitmapUuid(superblock)).toBe("459f34f3:c85cecde:431364b6:450fc47c");
    expect(bitmapUuid(makeSuperblock(0))).toBe(makeSuperblock(0).arrayUuid);
  });

  it.each<[string, readonly (readonly [number, number])[], number]>([
    ["major_version", [[1, 1]], 4],
    ["level", [[7, 3]], 28],
    ["raid_disks", [[10, 28]], 40],
    ["raid_disks", [[10, 0]], 40],
    ["chunk_size", [[65, 65_537]], 260],
    ["chunk_size", [[65, 24_576]], 260],
    ["size", [[8, 0]], 32],
    ["size", [[8, 8129]], 32],
    ["this_disk", [[992, 27]], 3968],
    ["disks", [[128 + 32 + 3, 3]], 640],
    ["disks", [[128 + 32 + 3, 0x8000_0000]], 640],
  ])("whose %s is impossible is refused with that field", (field, words, at) => {
    const { code, place } = failureOf(changed(SPARE, words));
    expect(code).toBe("CEV_BAD_METADATA");
    expect(place).toMatchObject({ source: "disk0.img", field, byteOffset: BYTE_OFFSET + at });
  });

  it.each<[string, string, readonly (readonly [number, number])[]]>([
    ["minor_version", "0.92", [[2, 92]]],
    ["state", "0x200", [[33, 0x201]]],
    ["md_magic", "byte order", [[0, 0xfc4e2ba9]]],
  ])("whose %s is unknown is refused by name: %s", (field, text, words) => {
    const { code, message, place } = failureOf(changed(SPARE, words));
    expect(code).toBe("CEV_UNKNOWN_FEATURE");
    expect(message).toContain(text);
    expect(place.field).toBe(field);
  });

  it("with any one bit flipped is refused", () => {
    const bytes = oldSuperblock(SPARE);
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(["CEV_BAD_METADATA", "CEV_UNKNOWN_FEATURE"]).toContain(failureOf(bytes).code);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
  });

  it("with any bit of what means something flipped and the checksum made right is refused, or encoded again as it is", () => {
    let accepted = 0;
    const words = [
      ...Array(66).keys(),
      ...Array.from({ length: 4 * 32 }, (_, index) => 128 + index),
      992,
      993,
    ];
    for (const word of words) {
      for (let bit = 0; bit < 32; bit++) {
        const before = new DataView(oldSuperblock(SPARE).buffer).getUint32(4 * word, true);
        const bytes = changed(SPARE, [[word, (before ^ (1 << bit)) >>> 0]]);
        try {
          expect(Buffer.compare(encodeSuperblock(decode(bytes)), bytes), `word ${word}`).toBe(0);
          accepted++;
        } catch (error) {
          if (!(error instanceof MetadataError)) throw error;
        }
      }
    }
    expect(accepted).toBeGreaterThan(4000);
  });

  test.prop(
    [
      fc.constantFrom(...Object.keys(OLD_SUPERBLOCKS)),
      fc.array(
        fc.tuple(
          fc.oneof(
            fc.nat(70),
            fc.integer({ min: 128, max: 128 + 27 * 32 - 1 }),
            fc.nat(26).map((index) => 132 + 32 * index),
            fc.nat(26).map((index) => 131 + 32 * index),
            fc.constant(992),
          ),
          fc.oneof(fc.nat(30), fc.nat(0xffff_ffff), fc.constantFrom(0x7fff_ffff, 0x8000_0000, 0xffff_ffff)),
        ),
        { minLength: 1, maxLength: 40 },
      ),
    ],
    { numRuns: 500 },
  )("made by an attacker is refused, or encoded again as it is", (name, words) => {
    const bytes = changed(name, words);
    try {
      expect(Buffer.compare(encodeSuperblock(decode(bytes)), bytes)).toBe(0);
    } catch (error) {
      if (!(error instanceof MetadataError)) throw error;
    }
  });
});

describe("looking for superblocks", () => {
  const target = (parts: readonly (readonly [number, Uint8Array])[], size: number) => {
    const image = new Uint8Array(size);
    for (const [at, bytes] of parts) image.set(bytes, at);
    return {
      source: "disk0.img",
      size,
      read: (offset: number, length: number) => Promise.resolve(image.slice(offset, offset + length)),
    };
  };

  it("finds one of version 0.90 at its place", async () => {
    const found = await readSuperblock(target([[BYTE_OFFSET, oldSuperblock(SPARE)]], OLD_DEVICE_SIZE));
    expect(found?.version).toBe("0.90");
  });

  it.each([0, 2_000_000_000])("takes the one of the array made last: %i", async (seconds) => {
    const size = Math.max(memberSize({}), OLD_DEVICE_SIZE);
    const newer = encodeSuperblock({ ...makeSuperblock(0), createdAt: { seconds, microseconds: 0 } });
    const found = await readSuperblock(
      target(
        [
          [4096, newer],
          [superblockOffset("0.90", size)!, oldSuperblock(SPARE)],
        ],
        size,
      ),
    );
    expect(found?.version).toBe(seconds === 0 ? "0.90" : "1.2");
  });

  it("refuses one of the other byte order, by name", async () => {
    const foreign = oldSuperblock(SPARE).map((_, at, all) => all[at ^ 3]!);
    await expect(readSuperblock(target([[BYTE_OFFSET, foreign]], OLD_DEVICE_SIZE))).rejects.toMatchObject({
      code: "CEV_UNKNOWN_FEATURE",
    });
  });
});
