import { environmentFrom, isCevError } from "@cev/core";
import { describe, expect, it } from "vitest";
import {
  DM_BITMAP_BITS,
  DM_META_SIZE,
  dmDisks,
  dmImages,
  dmOption,
  dmPattern,
  filledDm,
  openDm,
} from "./support/dm-images.ts";

const RAID5 = dmOption("raid5_ls", 3);

describe("the superblock of a volume, which has no checksum", () => {
  it("is refused where it claims more events than its own bitmap", async () => {
    const option = dmOption("raid1", 3);
    const images = await filledDm(option);
    // The stale one of three, whose events were spoiled: it would make the others look old.
    const members = dmDisks(images);
    const without = await openDm(option, [members[0]!, members[1]!, null], { degraded: true });
    await without.device.write(0, dmPattern(4096, 9));
    await without.device.close();
    members[2]!.bytes[21] = 1;
    const { device, problems } = await openDm(option, members, { isReadOnly: true });
    expect(await device.read(0, 4096)).toEqual(dmPattern(4096, 9));
    expect(problems[0]!.message).toContain("events");
    await device.close();
  });

  it("counts as synced no further than another member of one age says", async () => {
    const members = dmDisks(
      dmImages(RAID5, (position) => ({ resyncSectors: position === 1 ? 0 : null }), [0xf]),
    );
    members[2]!.bytes.fill(0x99, DM_META_SIZE + 16_384, DM_META_SIZE + 20_480);
    const { device, layer, opened } = await openDm(RAID5, members);
    expect(opened.state).toBe("dirty");
    await layer.idle();
    expect(await layer.check()).toBe(0);
    await device.close();
  });

  it("never gives wrong data for a flipped bit, whichever it is", async () => {
    const option = dmOption("raid5_ls", 3, 4);
    const members = dmDisks(await filledDm(option));
    const expected = dmPattern(option.size);
    const spoiled = members[1]!.bytes;
    const environment = environmentFrom(globalThis);
    let openedCount = 0;
    // The superblock up to its last field, and the bitmap's head and first bits.
    const places = [...Array(148).keys(), ...Array.from({ length: 260 }, (_, index) => 4096 + index)];
    for (const at of places)
      for (let bit = 0; bit < 8; bit++) {
        spoiled[at]! ^= 1 << bit;
        try {
          const { device } = await openDm(option, members, { isReadOnly: true, environment });
          const found = await device.read(0, option.size);
          expect(Buffer.compare(found, expected), `byte ${at}, bit ${bit}`).toBe(0);
          await device.close();
          openedCount++;
        } catch (error) {
          expect(isCevError(error) && error.code, `byte ${at}, bit ${bit}: ${String(error)}`).toBe(
            "CEV_AMBIGUOUS",
          );
        }
        spoiled[at]! ^= 1 << bit;
        for (const member of members) {
          expect(member.writeCount).toBe(0);
          member.log.length = 0;
        }
      }
    expect(openedCount).toBeGreaterThan(3000);
  });

  it("loses nothing by a flipped bit when it is written either", async () => {
    const option = dmOption("raid5_ls", 3, 4);
    const images = await filledDm(option);
    // One bit, low or high, of each field, and of the bitmap's.
    const fields = [0, 4, 8, 12, 16, 24, 32, 40, 48, 52, 56, 60, 64, 72, 84, 88, 96, 112, 120, 144];
    for (const at of [...fields, 4096, 4100, 4104, 4120, 4128, 4136, 4144, 4148, 4152, DM_BITMAP_BITS])
      for (const bit of [0, 5]) {
        const members = dmDisks(images);
        members[1]!.bytes[at]! ^= 1 << bit;
        const expected = dmPattern(option.size);
        try {
          const { device, layer } = await openDm(option, members, { degraded: true });
          if (layer.support.write !== "none") {
            expected.set(dmPattern(6000, 3), 5000);
            await device.write(5000, dmPattern(6000, 3));
            await layer.idle();
          }
          await device.close();
          for (const missing of [null, 0, 2]) {
            const present = members.map((member, index) => (index === missing ? null : member));
            const again = await openDm(option, present, { isReadOnly: true }).catch((error: unknown) => {
              // The one that was spoiled was left out: then no other can be.
              expect(isCevError(error) && error.code, `byte ${at}`).toBe("CEV_DEGRADED");
              return null;
            });
            if (again === null) continue;
            const found = await again.device.read(0, option.size);
            expect(Buffer.compare(found, expected), `byte ${at}, bit ${bit}, without ${missing}`).toBe(0);
            await again.device.close();
          }
        } catch (error) {
          expect(isCevError(error) && error.code, `byte ${at}, bit ${bit}: ${String(error)}`).toBe(
            "CEV_AMBIGUOUS",
          );
          expect(members.every(({ writeCount }) => writeCount === 0)).toBe(true);
        }
      }
  });
});
