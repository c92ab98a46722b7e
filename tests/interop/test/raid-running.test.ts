import { createHash, randomBytes } from "node:crypto";
import { closeSync, mkdtempSync, openSync, rmSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, closeTree, environmentFrom, openTree } from "@cev/core";
import type { NamedLayer } from "@cev/core";
import { FileLayer } from "@cev/hw-file";
import { RaidLayer, assembleArray, createArray } from "@cev/raid";
import type { CreateArrayOptions, SpeedLimits } from "@cev/raid";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runOracle } from "../oracle/run-oracle.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const environment = environmentFrom(globalThis);
const BITMAP = { bitmap: "internal", bitmapChunkSize: 64 * KIB } as const;

/** The kernel makes an array, and one of its members leaves it before the last write. */
const LEAVE = `
mdadm --create /dev/md0 --run --level=5 --raid-devices=3 --chunk=64 --bitmap=internal --bitmap-chunk=64 "$@" >&2
while [ "$(cat /sys/block/md0/md/sync_action)" != idle ]; do sleep 0.05; done
dd if=/dev/urandom of=/dev/md0 bs=64k count=32 oflag=direct status=none
sleep 0.5
mdadm /dev/md0 --fail "$2" --remove "$2" >&2
dd if=/dev/urandom of=/dev/md0 bs=4k seek=40 count=2 oflag=direct status=none
sha256sum </dev/md0 | cut -d' ' -f1
`;

/** For each array: assembles it (one member of the array RE_ADD is given back later), waits, and prints what it finds. */
const JUDGE = `
number=0
for count in $COUNTS; do
  md=/dev/md$number
  sys=/sys/block/md$number/md
  list=
  absent=
  while [ $count -gt 0 ]; do
    if [ $number = $RE_ADD ] && [ -z "$absent" ]; then absent=$1; else list="$list $1"; fi
    shift
    count=$((count - 1))
  done
  mdadm --assemble --run $md $list >&2
  mdadm --readwrite $md 2>/dev/null || :
  if [ "$absent" ]; then mdadm $md --re-add "$absent" >&2; fi
  sleep 0.2
  while [ "$(cat $sys/sync_action)" != idle ]; do sleep 0.05; done
  # Busy: a sync has begun since it was looked at.
  until echo check 2>/dev/null >$sys/sync_action; do sleep 0.05; done
  while [ "$(cat $sys/sync_action)" != idle ]; do sleep 0.05; done
  echo "$(sha256sum <$md | cut -d' ' -f1) mismatches $(cat $sys/mismatch_cnt) degraded $(cat $sys/degraded)"
  number=$((number + 1))
done
dmesg | grep -c 'recovery of RAID array' || :
`;

describeWith(ORACLE_TOOLS, "members come and go under cev and under the kernel by turns", () => {
  let directory = "";
  beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), "cev-running-"))));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  function images(name: string, count: number): string[] {
    return Array.from({ length: count }, (_, index) => {
      const path = join(directory, `${name}${index}`);
      closeSync(openSync(path, "w"));
      truncateSync(path, 8 * MIB);
      return path;
    });
  }

  async function layerOf(path: string): Promise<NamedLayer> {
    return { name: path.slice(directory.length + 1), layer: await FileLayer.at(environment, { path }) };
  }

  async function create(
    paths: readonly string[],
    options: Omit<CreateArrayOptions, "environment" | "members">,
  ): Promise<void> {
    const members = await Promise.all(paths.map(layerOf));
    for (const { layer } of members) await openTree(layer);
    await createArray({ ...options, environment, members });
    for (const { layer } of members) await closeTree(layer);
  }

  /** Opens an array, lets something be done with it, and gives the hash of what it holds in the end. */
  async function withArray(
    paths: readonly string[],
    speedLimit: SpeedLimits,
    run: (layer: RaidLayer, device: Device) => Promise<void>,
  ): Promise<string> {
    const members = await Promise.all(paths.map(layerOf));
    for (const { layer } of members) await openTree(layer);
    const { layer } = await assembleArray({ environment, members, canWriteDegraded: true, speedLimit });
    if (!(layer instanceof RaidLayer)) throw new Error("an array in the middle of a reshape");
    const device = await Device.open(layer, environment);
    await run(layer, device);
    const hash = createHash("sha256")
      .update(await device.read(0, device.size))
      .digest("hex");
    await device.close();
    for (const one of members) await closeTree(one.layer);
    return hash;
  }

  const fill = (device: Device): Promise<void> => device.write(0, new Uint8Array(randomBytes(device.size)));

  async function passed(layer: RaidLayer, action: string, bytes: number): Promise<void> {
    while (layer.action !== action || (layer.progress?.done ?? 0) < bytes)
      await new Promise((resolve) => setTimeout(resolve, 10));
  }

  test("what one of them left half done the other completes, and all agree", async () => {
    // A member fails, and another takes its place.
    const rebuilt = images("rebuilt", 4);
    await create(rebuilt.slice(0, 3), { level: 5, chunkSize: 64 * KIB });
    const first = await withArray(rebuilt.slice(0, 3), {}, async (layer, device) => {
      await fill(device);
      await layer.idle();
      await layer.failMember("rebuilt1");
      await layer.removeMember("rebuilt1");
      const fresh = await layerOf(rebuilt[3]!);
      await layer.addMember(fresh.layer, fresh.name);
      await layer.idle();
    });
    // A rebuild, and a resync, that are broken off in the middle.
    const rebuilding = images("rebuilding", 5);
    await create(rebuilding.slice(0, 4), { level: 6, chunkSize: 64 * KIB });
    const second = await withArray(rebuilding.slice(0, 4), {}, async (layer, device) => {
      await fill(device);
      await layer.idle();
      layer.setSpeedLimit({ maxKiB: 8000 });
      await layer.failMember(0);
      const fresh = await layerOf(rebuilding[4]!);
      await layer.addMember(fresh.layer, fresh.name);
      await passed(layer, "recover", MIB);
    });
    const resyncing = images("resyncing", 2);
    await create(resyncing, { level: 1, version: "1.0", ...BITMAP });
    const third = await withArray(resyncing, { maxKiB: 8000 }, (layer) => passed(layer, "resync", MIB));
    const grown = images("grown", 4);
    await create(grown, { level: 10, version: "1.1", chunkSize: 64 * KIB, size: 2 * MIB, ...BITMAP });
    await withArray(grown, {}, async (layer) => {
      await layer.growSize("max");
      await layer.idle();
    });
    const fourth = await withArray(grown, {}, (_layer, device) => fill(device));
    // Members that come back: one that left cev's array to the kernel, one that left the kernel's to cev.
    const left = images("left", 3);
    await create(left, { level: 5, version: "0.90", chunkSize: 64 * KIB, ...BITMAP });
    const fifth = await withArray(left, {}, async (layer, device) => {
      await fill(device);
      await layer.idle();
      await layer.failMember(0);
      await device.write(128 * KIB, new Uint8Array(randomBytes(8 * KIB)));
    });
    const back = images("back", 3);
    const leaving = await runOracle({ script: LEAVE, disks: back });
    expect(leaving.status, leaving.stderr).toBe(0);
    const sixth = await withArray([back[0]!, back[2]!], {}, async (layer) => {
      const member = await layerOf(back[1]!);
      await layer.reAddMember(member.layer, member.name);
      await layer.idle();
      expect(await layer.check()).toBe(0);
    });
    expect(sixth).toBe(leaving.stdout.trim());

    const arrays = [
      [rebuilt[0]!, rebuilt[3]!, rebuilt[2]!],
      rebuilding.slice(1),
      resyncing,
      grown,
      left,
      back,
    ];
    const verdict = await runOracle({
      script: JUDGE,
      disks: arrays.flat(),
      env: { COUNTS: arrays.map(({ length }) => length).join(" "), RE_ADD: "4" },
    });
    expect(verdict.status, verdict.stderr).toBe(0);
    expect(verdict.stderr).toContain("re-added");
    const hashes = [first, second, third, fourth, fifth, sixth];
    expect(verdict.stdout.trim().split("\n")).toEqual([
      ...hashes.map((hash) => `${hash} mismatches 0 degraded 0`),
      // Only that of the array that was left in the middle, and of the member that came back.
      "2",
    ]);
  });
});
