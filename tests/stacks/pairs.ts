import { testLayer } from "@cev/test-kit";
import type { Manifest, TestRunner } from "@cev/test-kit";
import { KINDS, asynchronous, disk, diskSupport, raid5 } from "./kinds.ts";
import type { Kind } from "./kinds.ts";

const SIZE = 49_152;

const GATHERED: NonNullable<Manifest["skip"]> = {
  transparency:
    "an array gathers the writes that come to it at once, and how many of another array's do depends on what stands between",
};

const IS_EVERY_PAIR = process.env["CEV_ALL_CASES"] !== undefined;
const SEED = Number(process.env["CEV_SEED"] ?? Math.floor(Math.random() * 2 ** 32));

/**
 * The suite over one kind of layer on top of other kinds, perhaps itself. Stacking must be invisible. One of three
 * pairs, so that each kind stands over and below a third of the kinds; every pair where CEV_ALL_CASES is set.
 */
export function testOver(upper: Kind, runner: TestRunner): void {
  const title = IS_EVERY_PAIR ? "every pair" : `one of three pairs, CEV_SEED=${SEED}`;
  runner.describe(title, () => testPairs(upper, runner));
}

function testPairs(upper: Kind, runner: TestRunner): void {
  for (const [index, lower] of KINDS.entries()) {
    if (!IS_EVERY_PAIR && (KINDS.indexOf(upper) + index + SEED) % 3 !== 0) continue;
    // Two of them one over the other say nothing that one does not.
    if (upper === asynchronous && lower === asynchronous) continue;
    // A layer between the array and its disks passes the loss on; an array below others makes good for it.
    const isRedundant = upper === raid5 || lower === raid5;
    testLayer(
      {
        name: `${upper.name} over ${lower.name}`,
        manifest: {
          support: upper.support(lower.support(diskSupport)),
          canHideErrors: isRedundant,
          lostLowersMax: isRedundant ? 1 : 0,
          ...(upper === raid5 && lower === raid5 ? { skip: GATHERED } : {}),
        },
        create: (bench) => upper.over(lower.over(disk))(bench, SIZE),
      },
      runner,
    );
  }
}
