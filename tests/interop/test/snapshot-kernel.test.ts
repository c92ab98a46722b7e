import { createHash, randomBytes, randomInt } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, closeTree, environmentFrom, openTree } from "@cev/core";
import type { NamedLayer, OpenedDevice } from "@cev/core";
import { FileLayer } from "@cev/hw-file";
import { mergeSnapshot, snapshotDriver } from "@cev/snapshot";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runOracle } from "../oracle/run-oracle.ts";
import { readFormatTable } from "../src/format-table.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const environment = environmentFrom(globalThis);

/** An origin with its snapshots: sizes in bytes, chunks in sectors. */
interface Group {
  readonly name: string;
  readonly originSize: number;
  readonly stores: readonly { readonly size: number; readonly chunkSectors: number }[];
}

const GROUPS: readonly Group[] = [
  { name: "one", originSize: 4 * MIB, stores: [{ size: 3 * MIB, chunkSectors: 8 }] },
  {
    name: "two",
    // Ends within a chunk.
    originSize: 2 * MIB + 20 * KIB,
    stores: [
      { size: 3 * MIB, chunkSectors: 128 },
      { size: 3 * MIB, chunkSectors: 1 },
    ],
  },
  { name: "full", originSize: 2 * MIB, stores: [{ size: 256 * KIB, chunkSectors: 8 }] },
  { name: "burst", originSize: 512 * KIB, stores: [{ size: 64 * KIB, chunkSectors: 8 }] },
  {
    name: "merge",
    originSize: 2 * MIB,
    stores: [
      { size: 3 * MIB, chunkSectors: 2 },
      { size: 3 * MIB, chunkSectors: 16 },
    ],
  },
];

/** Shell functions: `group` sets up an origin with its snapshots, `show` prints what each device holds and what its state is. */
const LIB = `
group() {
  name=$1 origin=$2
  shift 2
  sectors=$(blockdev --getsz $origin)
  index=0
  while [ $# -gt 0 ]; do
    dmsetup create $name-$index --table "0 $sectors snapshot $origin $1 P $2"
    index=$((index + 1))
    shift 2
  done
  # Last: it looks for the smallest chunk of its snapshots when it begins.
  dmsetup create $name-origin --table "0 $sectors snapshot-origin $origin"
}
scribble() {
  size=$(blockdev --getsz /dev/mapper/$1)
  seed=$2 count=$3 most=$4
  while [ $count -gt 0 ]; do
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    dd if=/dev/urandom of=/dev/mapper/$1 bs=512 seek=$((seed / 512 % (size - most))) count=$((seed / 77 % most + 1)) oflag=direct conv=notrunc status=none
    count=$((count - 1))
  done
}
show() {
  for name; do
    hash=lost
    status=$(dmsetup status $name)
    case $status in *Invalid*) ;; *) read -r hash _ <<HASH
$(sha256sum </dev/mapper/$name)
HASH
    ;; esac
    echo "$name $hash $status"
  done
}
`;

interface Shown {
  readonly hash: string;
  readonly status: string;
}

function shownIn(stdout: string): Map<string, Shown> {
  const lines = stdout
    .trim()
    .split("\n")
    .map((line) => line.split(" "));
  return new Map(
    lines.map(([name = "", hash = "", ...status]) => [name, { hash, status: status.join(" ") }]),
  );
}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

/** The byte tables in docs/formats agree with a store that the kernel made, with chunks of 4 KiB. */
function checkTables(store: Buffer): void {
  const fields = (heading: string, base: number): Map<string, bigint> =>
    new Map(
      readFormatTable("dm-snapshot.md", heading).map(({ name, meaning, offset, size }) => {
        const bytes = store.subarray(base + offset, base + offset + size);
        if (meaning === "zero") expect(bytes.every((byte) => byte === 0)).toBe(true);
        return [name, size === 8 ? bytes.readBigUInt64LE() : BigInt(bytes.readUInt32LE())];
      }),
    );
  expect(Object.fromEntries(fields("Header", 0))).toEqual({
    magic: 0x7041_6e53n,
    valid: 1n,
    version: 1n,
    chunk_size: 8n,
    "": 0n,
  });
  expect(fields("Exceptions", 4096).get("new_chunk")).toBe(2n);
  expect(fields("Exceptions", 4096 + 16).get("new_chunk")).toBe(3n);
}

describeWith(ORACLE_TOOLS, "snapshots go from the kernel to cev and back", () => {
  let directory = "";
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "cev-snapshot-"));
    for (const { name, originSize, stores } of GROUPS) {
      writeFileSync(pathOf(name), randomBytes(originSize));
      for (const [index, { size }] of stores.entries())
        // Whatever a store held before, it is blank where it begins with zeroes.
        writeFileSync(pathOf(`${name}-${index}`), randomBytes(size).fill(0, 0, 4096));
    }
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  const pathOf = (name: string): string => join(directory, name);
  const namesOf = ({ name, stores }: Group): string[] => [
    name,
    ...stores.map((_, index) => `${name}-${index}`),
  ];
  const images = (): string[] => GROUPS.flatMap(namesOf).map(pathOf);

  /** Lets something be done with the devices of a group, opened by cev. */
  async function withGroup<T>(
    group: Group,
    isReadOnly: boolean,
    run: (devices: readonly (Device | null)[], opened: readonly OpenedDevice[]) => Promise<T>,
  ): Promise<T> {
    const lowers: NamedLayer[] = [];
    for (const name of namesOf(group))
      lowers.push({
        name,
        layer: await FileLayer.at(environment, { path: pathOf(name), readOnly: isReadOnly }),
      });
    for (const { layer } of lowers) await openTree(layer);
    const snapshots = group.stores.map(({ chunkSectors }, index) => ({
      name: `${group.name}-${index}`,
      chunkSize: chunkSectors * 512,
      size: null,
      isMerging: false,
    }));
    const opened = await snapshotDriver.open({
      environment,
      options: { snapshots },
      lowers,
      keySource: { keys: [] },
      isReadOnly,
      canWriteDegraded: false,
      directory: ".",
      report: () => undefined,
    });
    const devices: (Device | null)[] = [];
    for (const { layer, state } of opened)
      devices.push(state === "invalid" ? null : await Device.open(layer, environment));
    try {
      return await run(devices, opened);
    } finally {
      for (const device of devices.toReversed()) await device?.close().catch(() => undefined);
      for (const { layer } of lowers) await closeTree(layer);
    }
  }

  /** What cev shows of a group, in the words of the kernel's side. */
  function shownByCev(group: Group): Promise<Map<string, Shown>> {
    return withGroup(group, true, async (devices, opened) => {
      const shown = new Map<string, Shown>();
      for (const [index, device] of devices.entries()) {
        const name = `${group.name}-${index === 0 ? "origin" : index - 1}`;
        const { allocated, total, metadata } = opened[index]!.details as Record<string, number>;
        const sectors = Math.ceil(group.originSize / 512);
        const status =
          index === 0
            ? `0 ${sectors} snapshot-origin `
            : `0 ${sectors} snapshot ${device === null ? "Invalid" : `${allocated! / 512}/${total! / 512} ${metadata! / 512}`}`;
        shown.set(name, {
          hash: device === null ? "lost" : hashOf(await device.read(0, device.size)),
          status,
        });
      }
      return shown;
    });
  }

  async function scribble(device: Device, count: number, lengthMax: number): Promise<void> {
    const writes = Array.from({ length: count }, () => {
      const data = new Uint8Array(randomBytes(randomInt(1, lengthMax)));
      return device.write(randomInt(0, device.size - data.length), data);
    });
    await Promise.all(writes);
  }

  async function mergeFirst(group: Group): Promise<void> {
    const [origin, store, other] = await Promise.all(
      namesOf(group).map(async (name) => ({
        name,
        layer: await FileLayer.at(environment, { path: pathOf(name) }),
      })),
    );
    for (const { layer } of [origin!, store!, other!]) await openTree(layer);
    await mergeSnapshot({
      environment,
      origin: origin!,
      store: store!,
      others: [{ name: "other", store: other! }],
    });
    for (const { layer } of [origin!, store!, other!]) await closeTree(layer);
  }

  test("each goes on with what the other wrote, sees what overflowed, and merges it", async () => {
    const made = await runOracle({
      script: `${LIB}
group one $1 $2 8
group two $3 $4 128 $5 1
group full $6 $7 8
group burst $8 $9 8
group merge $10 $11 2 $12 16
scribble one-origin 11 5 200
scribble one-0 12 4 90
scribble two-origin 13 4 300
scribble two-0 14 3 300
scribble two-1 15 3 90
scribble full-0 16 2 64
dd if=/dev/urandom of=/dev/mapper/full-origin bs=64k count=8 oflag=direct status=none
scribble merge-0 17 4 200
scribble merge-1 18 3 100
scribble merge-origin 19 3 100
show one-origin one-0 two-origin two-0 two-1 full-origin full-0 burst-origin burst-0 merge-origin merge-0 merge-1
`.replaceAll(/\$(1\d)/g, "${$1}"),
      disks: images(),
    });
    expect(made.status, made.stderr).toBe(0);
    const kernel = shownIn(made.stdout);
    for (const group of GROUPS)
      for (const [name, shown] of await shownByCev(group)) expect(shown, name).toEqual(kernel.get(name));

    checkTables(readFileSync(pathOf("one-0")));

    // Now cev goes on. What the group "full" lost in the kernel stays lost.
    const expected = new Map<string, string>();
    for (const group of GROUPS) {
      await withGroup(group, false, async (devices, opened) => {
        expect(opened.map(({ state }) => state === "invalid")).toEqual(
          devices.map((device) => device === null),
        );
        // One more store overflows here.
        if (group.name === "burst") return devices[0]!.write(0, new Uint8Array(randomBytes(256 * KIB)));
        const open = devices.filter((device) => device !== null);
        await Promise.all(open.map((device) => scribble(device, 12, 60 * KIB)));
      });
      for (const [name, { hash }] of await shownByCev(group)) expected.set(name, hash);
    }
    expect(expected.get("burst-0")).toBe("lost");
    const merge = GROUPS.at(-1)!;
    await mergeFirst(merge);
    expect((await shownByCev(merge)).get("merge-origin")!.hash).toBe(expected.get("merge-0"));
    expected.set("merge-origin", expected.get("merge-0")!);

    const judged = await runOracle({
      script: `${LIB}
group one $1 $2 8
group two $3 $4 128 $5 1
group full $6 $7 8 || :
group burst $8 $9 8
group merge $10 $11 2 $12 16
show one-origin one-0 two-origin two-0 two-1 full-origin full-0 burst-origin burst-0 merge-origin merge-0 merge-1
scribble two-origin 21 3 100
scribble two-1 22 3 100
show two-origin two-0 two-1 | sed 's/^/again-/'
dmsetup remove one-0
dmsetup remove one-origin
dmsetup create one-merging --table "0 $(blockdev --getsz $1) snapshot-merge $1 $2 P 8"
while :; do
  set -- $(dmsetup status one-merging | cut -d' ' -f4-) "$@"
  [ \${1%/*} = $2 ] && break
  shift 2
  sleep 0.1
done
echo "merged $(sha256sum </dev/mapper/one-merging | cut -d' ' -f1)"
`.replaceAll(/\$(1\d)/g, "${$1}"),
      disks: images(),
    });
    expect(judged.status, judged.stderr).toBe(0);
    const found = shownIn(judged.stdout);
    for (const [name, hash] of expected) expect(found.get(name)?.hash, name).toBe(hash);
    expect(found.get("full-0")!.status).toContain("Invalid");
    expect(found.get("burst-0")!.status).toContain("Invalid");
    // An empty store, as the kernel counts.
    expect(found.get("merge-0")!.status).toMatch(/snapshot 4\/6144 4$/);
    expect(found.get("merged")!.hash).toBe(expected.get("one-0"));

    for (const [name, shown] of await shownByCev(GROUPS[1]!))
      expect(shown, name).toEqual(found.get(`again-${name}`));
    const one = await shownByCev(GROUPS[0]!);
    expect(one.get("one-origin")!.hash).toBe(expected.get("one-0"));
    expect(one.get("one-0")!.hash).toBe(expected.get("one-0"));
  });
});
