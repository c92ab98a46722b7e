/** The whole stack: a volume group in an encrypted array, over the suite's disks, over memory and over files. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FileLayer } from "@cev/hw-file";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import type { Subject, TestBench } from "@cev/test-kit";
import { checked, crypt4096, disk, diskSupport, linear, raid5 } from "../kinds.ts";
import type { Make } from "../kinds.ts";

const SIZE = 131_072;
const wholeOver = (below: Make): Make => linear.over(crypt4096.over(raid5.over(below)));
// The array offers neither discards nor zeroes of its own.
const support = { ...diskSupport, discard: "none", writeZeroes: "none" } as const;
const skip = {
  durability: "the power of these disks cannot be cut",
  errors: "these disks do not fail on demand",
};

const memories: Make = async ({ environment }, size) => new RamdiskLayer(environment, { size });

/** Files that stay when the stack is made again, and go with the test. */
function files(): Make {
  let count = 0;
  return async (bench, size) => {
    const path = join(await folderOf(bench), `disk${count++}.img`);
    return checked(bench, await FileLayer.at(bench.environment, { path, create: true, size }));
  };
}

/** The folder of each test that is under way. */
const folders = new WeakMap<TestBench, Promise<string>>();

function folderOf(bench: TestBench): Promise<string> {
  const known = folders.get(bench);
  if (known !== undefined) return known;
  const made = mkdtemp(join(tmpdir(), "cev-stacks-"));
  bench.onEnd(async () => rm(await made, { recursive: true }));
  folders.set(bench, made);
  return made;
}

export const wholeSubjects: readonly Subject[] = [
  {
    name: "lvm over crypt over raid5",
    manifest: { support, canHideErrors: true, lostLowersMax: 1 },
    create: (bench) => wholeOver(disk)(bench, SIZE),
  },
  {
    name: "lvm over crypt over raid5 over ramdisks",
    manifest: { support, isPersistent: false, skip },
    create: (bench) => wholeOver(memories)(bench, SIZE),
  },
  {
    name: "lvm over crypt over raid5 over files",
    manifest: { support: { ...support, fua: "emulated" }, skip },
    create: (bench) => wholeOver(files())(bench, SIZE),
  },
];
