import { Random } from "@cev/test-kit";
import { describe, expect, test } from "vitest";
import { LayerBench } from "./support/layer-bench.ts";

const KIB = 1024;

/** Layouts whose members hold different parts of the array at the same place, and two members they can do without. */
const CASES = [
  { name: "near=2 of four", layout: 0x102, memberCount: 4, lost: [0, 2] },
  { name: "far=2 of four", layout: 0x201, memberCount: 4, lost: [0, 2] },
  { name: "offset=3 of five", layout: 0x10301, memberCount: 5, lost: [0, 2, 3] },
];

describe("several members of a RAID10 come back at once, by the bitmap", () => {
  test.each(CASES)("$name", async ({ layout, memberCount, lost }) => {
    for (let seed = 1; seed <= 3; seed++) {
      const bench = await LayerBench.create({
        create: {
          level: 10,
          layout,
          chunkSize: 64 * KIB,
          bitmap: "internal",
          bitmapChunkSize: 64 * KIB,
          dataOffset: 1024 * KIB,
          assumeClean: true,
        },
        memberCount,
        deviceSize: 2048 * KIB,
        seed,
      });
      const random = new Random(seed);
      const { size } = (await bench.open()).limits;
      const data = random.bytes(size);
      await bench.write(0, data);
      await bench.close();
      await bench.open({ missing: lost });
      // Few enough that most of what each member holds is not marked.
      for (let count = 0; count < 3; count++) {
        const change = random.bytes(8 * KIB);
        const offset = random.below((size - change.length) / 512) * 512;
        await bench.write(offset, change);
        data.set(change, offset);
      }
      bench.layer.pauseSync();
      for (const index of lost)
        await bench.drive(bench.layer.reAddMember(bench.disks[index]!.fault, `d${index}`));
      bench.layer.resumeSync();
      await bench.idle();
      expect(bench.layer.array.members.every((member) => member.isInSync)).toBe(true);
      expect(await bench.drive(bench.layer.check())).toBe(0);
      expect(await bench.read()).toEqual(data);
      await bench.close();
    }
  });
});
