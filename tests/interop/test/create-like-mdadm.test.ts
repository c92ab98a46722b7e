import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { environmentFrom } from "@cev/core";
import { decodeSuperblock, planCreate } from "@cev/raid";
import type { CreateOptions, CreatePlan, PlannedDevice, Superblock } from "@cev/raid";
import { expect, test } from "vitest";
import { output } from "../src/run.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

const ORACLE = new URL("../oracle/linux-oracle", import.meta.url).pathname;
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** There are four devices of each size, and a fifth that is larger by half. */
const SIZES = [3 * MIB, 20 * MIB, 1100 * MIB + 512, 9 * GIB, 260 * GIB];
const COUNT = 5;

/** One of so many cases is tried; all of them where CEV_ALL_CASES is set. */
const SAMPLE = 19;

interface Case {
  readonly arguments: string;
  /** Index into `SIZES`. */
  readonly size: number;
  readonly count: number;
  /** The last member is the larger one. */
  readonly isUneven?: boolean;
  readonly options: Omit<CreateOptions, "members" | "homehost">;
}

const LEVELS: readonly (readonly [string, number, number])[] = [
  ["linear", -1, 2],
  ["0", 0, 3],
  ["1", 1, 2],
  ["4", 4, 3],
  ["5", 5, 3],
  ["6", 6, 4],
  ["10", 10, 3],
];
const VERSIONS = ["0.90", "1.0", "1.1", "1.2"] as const;

function casesOf(): Case[] {
  const cases: Case[] = [];
  const add = (
    [name, level, count]: readonly [string, number, number],
    size: number,
    rest: string,
    options: Omit<CreateOptions, "members" | "homehost" | "level" | "name" | "assumeClean">,
    isUneven = false,
  ): void => {
    const assume = level > 0 ? " --assume-clean" : "";
    const number = `${cases.length}`;
    cases.push({
      arguments: `--level=${name} --raid-devices=${count} --name=${number}${assume} ${rest}`,
      size,
      count,
      isUneven,
      options: { ...options, level, name: number, assumeClean: level > 0 },
    });
  };
  for (const level of LEVELS) {
    for (const version of VERSIONS) {
      // mdadm makes no RAID0 of this version at all.
      if (version === "0.90" && level[1] === 0) continue;
      for (let size = 1; size < SIZES.length; size++) {
        const metadata = `--metadata=${version}`;
        add(level, size, metadata, { version });
        if (level[1] > 0 && size !== 3)
          add(level, size, `${metadata} --bitmap=internal`, { version, bitmap: "internal" });
      }
    }
  }
  const [, raid0, raid1, , raid5, raid6, raid10] = LEVELS;
  add(raid5!, 0, "--chunk=4", { chunkSize: 4096 });
  add(raid5!, 1, "--chunk=64 --layout=ra", { chunkSize: 65_536, layout: 1 });
  add(raid5!, 1, "--bitmap=internal --bitmap-chunk=4M", { bitmap: "internal", bitmapChunkSize: 4 * MIB });
  add(raid5!, 1, "--metadata=1.0 --bitmap=internal --bitmap-chunk=64K", {
    version: "1.0",
    bitmap: "internal",
    bitmapChunkSize: 65_536,
  });
  add(raid5!, 1, "--size=10000", { size: 10_000 * 1024 });
  add(raid1!, 1, "--size=10001", { size: 10_001 * 1024 });
  add(raid5!, 1, "--data-offset=2M", { dataOffset: 2 * MIB });
  add(raid5!, 4, "--bitmap=none", { bitmap: "none" });
  add(raid6!, 1, "--layout=ddf-zero-restart", { layout: 8 });
  add(raid10!, 1, "--layout=f2 --chunk=64", { layout: 0x201, chunkSize: 65_536 });
  add(raid10!, 1, "--layout=o2 --chunk=64 --bitmap=internal", {
    layout: 0x1_0201,
    chunkSize: 65_536,
    bitmap: "internal",
  });
  // 5 members of 19 chunks: what RAID10 can use of them depends on the layout.
  for (const [words, layout] of [
    ["f2", 0x201],
    ["f3", 0x301],
    ["o2", 0x1_0201],
    ["n2", 0x102],
    ["n3", 0x103],
  ] as const)
    add(["10", 10, 5], 1, `--layout=${words} --chunk=1024`, { layout, chunkSize: MIB });
  for (const size of [1, 2]) {
    add(raid0!, size, "--chunk=64", { chunkSize: 65_536 }, true);
    add(raid0!, size, "--layout=alternate", { layout: 2 }, true);
    add(raid5!, size, "", {}, true);
    add(raid1!, size, "--metadata=1.0", { version: "1.0" }, true);
  }
  return cases;
}

const device = (size: number, index: number): string => `/dev/loop${size * COUNT + index}`;
const sizeOf = (size: number, index: number): number =>
  index === COUNT - 1 ? Math.floor((SIZES[size]! * 1.5) / 512) * 512 : SIZES[size]!;

function plan({ size, count, isUneven = false, options }: Case): CreatePlan {
  const members = Array.from({ length: count }, (_, index) => {
    const which = isUneven && index === count - 1 ? COUNT - 1 : index;
    return { name: device(size, which), size: sizeOf(size, which) };
  });
  return planCreate({ ...options, members, homehost: "oracle" }, environmentFrom(globalThis));
}

/** Makes every array with mdadm and takes what lies where `planCreate` has superblock and bitmap. */
function scriptOf(plans: readonly (readonly [Case, CreatePlan])[]): string {
  const lines = ["set -e", "exec 2>&1"];
  SIZES.forEach((_, size) => {
    for (let index = 0; index < COUNT; index++) {
      const file = `/tmp/loop-${size}-${index}`;
      lines.push(`truncate -s ${sizeOf(size, index)} ${file}`, `losetup ${device(size, index)} ${file}`);
    }
  });
  const dump = (from: string, at: number, length: number, to: string): string =>
    `dd if=${from} bs=512 skip=${at / 512} count=${length / 512} of=$ORACLE_WORK/${to} status=none`;
  plans.forEach(([one, { devices }], number) => {
    const names = devices.map(({ name }) => name).join(" ");
    lines.push(`mdadm --create /dev/md0 --run --quiet ${one.arguments} ${names}`);
    // The kernel uses less of the members of a RAID10 than mdadm gives, and says so when it writes.
    if (one.options.level === 10)
      lines.push("dd if=/dev/zero of=/dev/md0 bs=4k count=1 conv=fsync status=none");
    lines.push("mdadm --stop --quiet /dev/md0");
    devices.forEach(({ name, header, bitmap }, index) => {
      lines.push(dump(name, header.offset, 4096, `${number}-${index}-superblock`));
      if (bitmap !== null) lines.push(dump(name, bitmap.offset, 512, `${number}-${index}-bitmap`));
    });
    lines.push(`mdadm --zero-superblock ${names}`);
  });
  return lines.join("\n");
}

/** What depends on chance and time, and what the kernel has changed since. */
const ELSEWHERE = ["arrayUuid", "createdAt", "deviceUuid", "updatedAt", "eventCount", "remnants", "old"];

function shapeOf(superblock: Superblock): unknown {
  return Object.fromEntries(Object.entries(superblock).filter(([key]) => !ELSEWHERE.includes(key)));
}

/** The head of a bitmap but for its UUID and events. */
function bitmapShapeOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  return [0, 4, 40, 44, 48, 52, 56, 60, 64, 68].map((at) => view.getUint32(at, true));
}

function compare(
  { superblock, size, name, bitmap }: PlannedDevice,
  read: (what: string) => Uint8Array,
): void {
  const { version } = superblock;
  const place = { source: name, deviceSize: size, version, byteOffset: superblock.superOffsetSectors * 512 };
  const theirs = decodeSuperblock(read("superblock"), place);
  expect(shapeOf(superblock)).toEqual(shapeOf(theirs));
  if (bitmap !== null) expect(bitmapShapeOf(bitmap.bytes)).toEqual(bitmapShapeOf(read("bitmap")));
}

describeWith(ORACLE_TOOLS, "a new array is laid out as mdadm does it", () => {
  test("at every level, version and size, with and without a bitmap", async () => {
    const plans = casesOf()
      .filter((_, index) => process.env["CEV_ALL_CASES"] !== undefined || index % SAMPLE === 0)
      .map((one) => [one, plan(one)] as const);
    const work = mkdtempSync(join(tmpdir(), "cev-create-"));
    try {
      await output(ORACLE, ["--timeout", "110", "--work", work, "-"], {
        input: scriptOf(plans),
        timeoutMs: 240_000,
      });
      plans.forEach(([{ arguments: words, size }, { devices }], number) =>
        devices.forEach((ours, index) => {
          try {
            compare(ours, (what) => new Uint8Array(readFileSync(join(work, `${number}-${index}-${what}`))));
          } catch (error) {
            throw new Error(`device ${index} of ${SIZES[size]!} bytes, ${words}`, { cause: error });
          }
        }),
      );
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
});
