import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { environmentFrom } from "@cev/core";
import { MemoryLayer, Random, WriteLog, cutsOf, replayRecording } from "@cev/test-kit";
import type { RecordedCut } from "@cev/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runOracle } from "../oracle/run-oracle.ts";
import { run } from "../src/run.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

/** Where ext4 keeps its superblock, whatever its block size, and the checksum over it. */
const SUPERBLOCK = { offset: 1024, length: 1024 };
/** Every so many moments are judged, unless all cases are asked for. */
const STRIDE = process.env["CEV_ALL_CASES"] === undefined ? 4 : 1;
const MIB = 1024 * 1024;
const environment = environmentFrom(globalThis);

/** A file system is made, mounted, written to and unmounted; marks say where. */
const SCRIPT = `
dmsetup create recorded --table "0 $(blockdev --getsz "$1") log-writes $1 $2"
mkfs.ext4 -q -E nodiscard,lazy_itable_init=0,lazy_journal_init=0 /dev/mapper/recorded
sync
dmsetup message recorded 0 mark made
mkdir -p /mnt/recorded
mount /dev/mapper/recorded /mnt/recorded
echo kept >/mnt/recorded/kept
sync
dmsetup message recorded 0 mark kept
echo lost >/mnt/recorded/later
umount /mnt/recorded
dmsetup remove recorded
`;

describeWith([...ORACLE_TOOLS, "e2fsck"], "what dm-log-writes of the kernel recorded", () => {
  let folder: string;
  let device: Uint8Array;
  let log: MemoryLayer;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "cev-log-writes-"));
    const disks = ["device.img", "log.img"].map((name) => join(folder, name));
    for (const path of disks) writeFileSync(path, "");
    truncateSync(disks[0]!, 4 * MIB);
    truncateSync(disks[1]!, 24 * MIB);
    const { status, stderr } = await runOracle({ script: SCRIPT, disks });
    expect(status, stderr).toBe(0);
    device = readFileSync(disks[0]!);
    const bytes = readFileSync(disks[1]!);
    log = new MemoryLayer(environment, { size: bytes.length, contents: bytes });
  });

  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  test("is replayed to the same device", async () => {
    const recording = await WriteLog.open(log, environment);
    const target = new MemoryLayer(environment, { size: device.length });
    const marks: string[] = [];
    await replayRecording(recording, target, {
      environment,
      onStep: ({ kind, mark }) => {
        if (kind === "mark") marks.push(mark);
      },
    });
    expect(marks).toEqual(["made", "kept", "dm-log-writes-end"]);
    expect(Buffer.compare(target.bytes, device)).toBe(0);
  });

  /** What `policies` leave at each moment once the file system had been made. */
  async function cutsWith(
    atomicLength: number,
    policies: readonly RecordedCut["policy"][],
  ): Promise<RecordedCut[]> {
    const recording = await WriteLog.open(log, environment);
    let made = Infinity;
    for await (const { mark, index } of recording.steps()) if (mark === "made") made = index;
    const random = new Random(7);
    const cuts: RecordedCut[] = [];
    const before = new Uint8Array(device.length);
    for await (const cut of cutsOf(recording, { before, random, policies, atomicLength }))
      if (cut.at > made) cuts.push(cut);
    return cuts;
  }

  /** The journal is replayed, and nothing else may have to be mended: what e2fsck says, or nothing. */
  async function wrongWith(image: Uint8Array): Promise<string> {
    const path = join(folder, "cut.img");
    writeFileSync(path, image);
    const replayed = await run("e2fsck", ["-fp", path]);
    const judged = await run("e2fsck", ["-fn", path]);
    return replayed.status <= 1 && judged.status === 0 ? "" : replayed.stdout + judged.stdout;
  }

  test("is a sound file system after any power cut that tears no block", async () => {
    const cuts = await cutsWith(4096, ["sectors"]);
    expect(cuts.length).toBeGreaterThan(10);
    for (const { at, image } of cuts.filter((_, index) => index % STRIDE === 0))
      expect(await wrongWith(image), `cut at ${at}`).toBe("");
  });

  test("is one after cuts that tear blocks, too, if only the superblock is left whole", async () => {
    const { offset, length } = SUPERBLOCK;
    let flushed: Uint8Array | null = null;
    let tornCount = 0;
    for (const { at, policy, image } of await cutsWith(512, ["none", "sectors"])) {
      if (policy === "none") flushed = image;
      else if (flushed !== null && tornCount++ % STRIDE === 0) {
        image.set(flushed.subarray(offset, offset + length), offset);
        expect(await wrongWith(image), `cut at ${at}`).toBe("");
      }
    }
    expect(tornCount).toBeGreaterThan(10);
  });

  test("does not survive a superblock that is torn: ext4 counts on its block to be written whole", async () => {
    const cuts = await cutsWith(512, ["none", "all"]);
    const { offset, length } = SUPERBLOCK;
    const superblockOf = ({ image }: RecordedCut): Uint8Array => image.subarray(offset, offset + length);
    const torn = cuts.flatMap((flushed, index) => {
      const written = cuts[index + 1];
      if (written?.policy !== "all") return [];
      const half = flushed.image.slice();
      half.set(superblockOf(written).subarray(0, length / 2), offset);
      const superblock = half.subarray(offset, offset + length);
      const isTorn = [flushed, written].every((cut) => Buffer.compare(superblockOf(cut), superblock) !== 0);
      return isTorn ? [half] : [];
    });
    const answers = await Promise.all(torn.slice(0, 1).map(wrongWith));
    expect(answers).toEqual([expect.stringMatching(/superblock checksum does not match/iu)]);
  });
});
