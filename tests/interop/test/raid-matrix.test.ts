import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { CONTENT } from "../raid-matrix/content.ts";
import { allArrays, levelTitle, sampleArrays, setId } from "../raid-matrix/cases.ts";
import { makeInKernel, readWithout } from "../raid-matrix/from-kernel.ts";
import { withDisk } from "../matrix/run-batches.ts";
import { runMatrix } from "../raid-matrix/runner.ts";
import { judgeInKernel } from "../raid-matrix/to-kernel.ts";
import { writeArray } from "../raid-matrix/written.ts";
import { WAYS } from "../raid-matrix/verdict.ts";
import type { Verdict } from "../raid-matrix/verdict.ts";
import { chooseSeed } from "../src/random.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

// One array of a fifth of the levels and layouts, of all with CEV_ALL_CASES; the whole matrix is `pnpm run raid-matrix`.
const SAMPLE = 33;
const STEP = process.env["CEV_ALL_CASES"] === undefined ? 5 : 1;
const SEED = chooseSeed();

const folder = mkdtempSync(join(tmpdir(), "raid-matrix-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeWith(ORACLE_TOOLS, `a sample of the RAID matrix, both ways, CEV_SEED=${SEED}`, () => {
  const arrays = sampleArrays(allArrays(), SAMPLE, SEED).filter((_, index) => (index + SEED) % STEP === 0);
  const verdicts: Verdict[] = [];

  beforeAll(async () => {
    await runMatrix({
      arrays,
      ways: WAYS,
      seed: SEED,
      jobs: 2,
      missing: null,
      setsMax: 1,
      folder,
      isKept: false,
      report: (more) => verdicts.push(...more),
    });
  }, 300_000);

  test.each(
    arrays.map((array) => ({ array, title: `${levelTitle(array.level)} ${array.layout}: ${array.id}` })),
  )("$title", ({ array }) => {
    const own = verdicts.filter((verdict) => verdict.array.id === array.id);
    expect(new Set(own.map(({ way }) => way))).toEqual(new Set(WAYS));
    const failed = own.filter(({ failures }) => failures.length > 0);
    expect(failed.map(({ way, missing, failures }) => [way, setId(array, missing), ...failures])).toEqual([]);
  });
});

describeWith(ORACLE_TOOLS, "the RAID matrix notices", () => {
  const array = allArrays().find(({ id }) => id === "raid5/left-symmetric/1.2/3x64K")!;

  test("a wrong bit in data, in parity, and in a superblock", async () => {
    await withDisk({ folder, isKept: false }, CONTENT, async (own, disk) => {
      const [made] = await makeInKernel(own, disk, [array]);
      const kernelArray = made!.read()!;
      const { images } = kernelArray;
      // The last chunk of the first stripe of a left-symmetric array is its parity.
      const DATA = 1024 * 1024;
      const damaged = [
        { member: 0, offset: DATA + 99 },
        { member: 2, offset: DATA + 99 },
        { member: 1, offset: 4096 + 200 },
      ].map(({ member, offset }) => {
        const copies = images.map((bytes) => bytes.slice());
        copies[member]![offset]! ^= 1;
        return copies;
      });
      const [inData, inParity, inSuperblock] = damaged;
      expect(await failuresOfReading(inData!)).toEqual([expect.stringContaining("other bytes from 99 on")]);
      expect(await failuresOfReading(inParity!)).toEqual([]);
      expect(await failuresOfReading(inSuperblock!)).toEqual([expect.stringContaining("checksum")]);

      async function failuresOfReading(copies: readonly Uint8Array[]): Promise<readonly string[]> {
        const [verdict] = await readWithout({ ...kernelArray, images: copies }, [[]], made!.answer);
        return verdict!.failures;
      }

      // What cev wrote is damaged before the kernel gets it.
      const written = await Promise.all(
        [0, 2].map(async (member) => {
          const copies = images.map((bytes) => bytes.slice());
          const result = await writeArray("write", array, copies, [], SEED);
          copies[member]![DATA + 99]! ^= 1;
          return result;
        }),
      );
      await withDisk({ folder, isKept: false }, CONTENT, async (judging, judged) => {
        const [data, parity] = await judgeInKernel(judging, judged, written);
        expect(data!.failures).toContain("the kernel reads other bytes");
        expect(data!.failures).toContainEqual(expect.stringContaining("mismatch_cnt"));
        expect(parity!.failures).toEqual([expect.stringContaining("mismatch_cnt")]);
      });
    });
  });
});
