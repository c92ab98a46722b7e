import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { environmentFrom } from "@cev/core";
import { MemoryLayer, WriteLog, replayRecording } from "@cev/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { runOracle } from "../oracle/run-oracle.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

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

describeWith(ORACLE_TOOLS, "what dm-log-writes of the kernel recorded", () => {
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
});
