import { describe, expect, test } from "vitest";
import { readWithout } from "../lvm-matrix/from-kernel.ts";
import { readGoldenGroup } from "../lvm-matrix/golden-group.ts";
import { SHAPES } from "../lvm-matrix/shapes.ts";
import { chooseSeed, drawSome } from "../src/random.ts";

const SEED = chooseSeed();

// Without one of them, without each where CEV_ALL_CASES is set.
describe(`cev reads volume groups that LVM2 made, with all physical volumes and without one, CEV_SEED=${SEED}`, () => {
  for (const shape of SHAPES) {
    if (shape.golden === null) continue;
    test(`${shape.name}: ${shape.golden}`, async () => {
      const group = readGoldenGroup(shape);
      expect(group.volumes.size).toBeGreaterThan(0);
      expect(await readWithout(group, null), "with all").toEqual([]);
      if (group.images.length === 1) return;
      for (const missing of drawSome([...group.images.keys()], 1, SEED))
        expect(await readWithout(group, missing), `without physical volume ${missing}`).toEqual([]);
    });
  }
});
