import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { RAID_STATES } from "../golden/sets.ts";
import { allArrays, sampleArrays } from "../raid-matrix/cases.ts";
import { createImages } from "../raid-matrix/created.ts";
import { runInKernel } from "../raid-matrix/oracle-batch.ts";
import { SharedDisk } from "../matrix/shared-disk.ts";
import { cev } from "../src/cev.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

// Times are told in the local zone; the kernel in there knows none.
process.env["TZ"] = "UTC";

const folder = mkdtempSync(join(tmpdir(), "raid-examine-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What was printed of each member, without what a device is called, and what is known of it beyond its superblock. */
function membersOf(text: string): string[] {
  return text
    .split(/^\S.*:$/m)
    .slice(1)
    .map((part) =>
      part
        .replaceAll(" (local to host oracle)", "")
        .replaceAll(/( active sync| spare| faulty removed| removed) +\/dev\/\S+$/gm, "$1")
        .replaceAll(/ +$/gm, "")
        .trim(),
    );
}

describeWith(ORACLE_TOOLS, "cev raid examine", () => {
  test("prints what mdadm --examine prints, of every level and layout and in every state", async () => {
    using disk = new SharedDisk(join(folder, "disk.img"));
    const arrays = sampleArrays(allArrays(), 33, 11);
    const sets: { name: string; images: readonly Uint8Array[] }[] = [];
    for (const array of arrays) sets.push({ name: array.id, images: await createImages(array) });
    for (const { name } of RAID_STATES) {
      using golden = new GoldenCopy(name);
      sets.push({ name, images: golden.images.map((path) => new Uint8Array(readFileSync(path))) });
    }
    const jobs = sets.map(({ images }) => ({
      call: "examine" as const,
      args: [],
      members: images.map((bytes) => disk.add(bytes.length)),
    }));
    disk.finish();
    const paths: string[] = [];
    for (const [number, { images }] of sets.entries())
      images.forEach((bytes, index) => {
        disk.write(jobs[number]!.members[index]!, bytes);
        const path = join(folder, `${number}-${index}.img`);
        writeFileSync(path, bytes);
        paths.push(path);
      });
    const answers = await runInKernel(folder, disk, jobs);
    const examined = await cev(["raid", "examine", ...paths]);
    expect(examined.status, examined.stderr).toBe(0);

    const found = membersOf(examined.stdout);
    expect(found).toHaveLength(paths.length);
    for (const [number, { name, images }] of sets.entries()) {
      const mdadm = membersOf(answers[number]!.sections.get("members") ?? "");
      expect.soft(found.splice(0, images.length), name).toEqual(mdadm);
    }
  });
});
