import { randomBytes } from "node:crypto";
import { readFileSync, readdirSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { golden, hashFiles, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";
import { archiveApart, bytesOf, cells, makeGroup, sharedGroup } from "./lvm-helpers.ts";
import type { MadeGroup } from "./lvm-helpers.ts";

archiveApart();

/** A group that no test changes: with the volume a, and an image beside it. */
const shared = sharedGroup(async (group) => {
  await group.lvm("lvcreate", "-L", "2M", "-n", "a", "vg0");
  blank(group.cwd, "new.img");
});

function blank(cwd: string, name: string, size = 16 << 20): void {
  writeFileSync(join(cwd, name), "");
  truncateSync(join(cwd, name), size);
}

/** What a volume begins with. */
async function contentOf(group: MadeGroup, volume: string, length: number): Promise<Buffer> {
  const out = join(group.cwd, "out");
  const ended = await group.cev("copy", "--device", volume, "--to", out);
  if (ended.status !== 0) throw new Error(ended.stderr);
  return readFileSync(out).subarray(0, length);
}

async function fill(group: MadeGroup, volume: string, content: Buffer): Promise<void> {
  writeFileSync(join(group.cwd, "in"), content);
  const ended = await group.cev("copy", "--device", volume, "--from", "in");
  if (ended.status !== 0) throw new Error(ended.stderr);
}

describe("physical volumes", () => {
  test("are made, resized, changed and removed", async () => {
    const cwd = temporaryFolder();
    const made = await run(["lvm", "pvcreate", "p.img", "--make-images", "8M", "--metadatasize", "2m"], {
      cwd,
    });
    expect(made).toMatchObject({ status: 0, stderr: "" });
    const shown = await run(["lvm", "pvs", "p.img", "-o", "pv_mda_size,pv_free", "--noheadings"], { cwd });
    expect(shown.stdout.toString().trim()).toBe("<3.00m 8.00m");
    truncateSync(join(cwd, "p.img"), 12 << 20);
    expect(await run(["lvm", "pvresize", "p.img"], { cwd })).toMatchObject({ status: 0 });
    const resized = await run(["lvm", "pvs", "p.img", "-o", "pv_size", "--noheadings"], { cwd });
    expect(resized.stdout.toString().trim()).toBe("12.00m");
    expect(await run(["lvm", "pvremove", "p.img"], { cwd })).toMatchObject({ status: 0 });
    const gone = await run(["lvm", "pvs", "p.img"], { cwd });
    expect(gone.stdout.toString()).toBe("");
  });

  test("of a group take tags and no new extents", async () => {
    const group = await makeGroup();
    expect(await group.lvm("pvchange", "-x", "n", "--addtag", "slow", "d0.img")).toMatchObject({ status: 0 });
    expect(await cells(group, "pvs", "pv_name,pv_attr,pv_tags")).toEqual(["d0.img u-- slow", "d1.img a--"]);
    await group.lvm("lvcreate", "-L", "1M", "-n", "a", "vg0");
    expect(await cells(group, "lvs", "devices")).toEqual(["d1.img(0)"]);
    expect(await group.lvm("pvchange", "d0.img")).toMatchObject({ status: 2 });
    expect(await group.lvm("pvremove", "d0.img")).toMatchObject({ status: 1 });
  });

  test("are not made over what is there, unless that is forced; then it is gone", async () => {
    const { images, folder } = golden("raid5-512k");
    const [image] = images;
    const before = hashFiles([image!]);
    const refused = await run(["lvm", "pvcreate", image!]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/carries something already: md .*; choose another device, or add --force/);
    expect(hashFiles([image!])).toBe(before);
    expect(
      await run(["lvm", "vgcreate", "-s", "1m", "vg0", image!, "--force"], { cwd: folder }),
    ).toMatchObject({
      status: 0,
    });
    const seen = await run(["inspect", image!]);
    expect(seen.stdout.toString()).toMatch(/LVM2 physical volume, VG vg0/);
    expect(seen.stdout.toString()).not.toMatch(/md /);
  });
});

describe("groups", () => {
  test("grow and shrink by physical volumes", async () => {
    const group = await makeGroup();
    blank(group.cwd, "new.img");
    const all = [...group.images, "new.img"];
    const extended = await run(["lvm", "vgextend", "vg0", "new.img", "--devices", ...group.images], {
      cwd: group.cwd,
    });
    expect(extended).toMatchObject({ status: 0, stderr: "" });
    const three = {
      ...group,
      lvm: (...words: string[]) => run(["lvm", ...words, "--devices", ...all], { cwd: group.cwd }),
    };
    await three.lvm("lvcreate", "-L", "1M", "-n", "a", "vg0", "new.img");
    const refused = await three.lvm("vgreduce", "vg0", "new.img");
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/new\.img/);
    await three.lvm("lvremove", "vg0/a");
    expect(await three.lvm("vgreduce", "vg0", "new.img")).toMatchObject({ status: 0 });
    expect(await cells(three, "pvs", "pv_name,vg_name")).toEqual(["d0.img vg0", "d1.img vg0", "new.img"]);
    expect(await group.lvm("vgreduce", "vg0")).toMatchObject({ status: 2 });
  });

  test("lose what is missing, and with --force what lay there", async () => {
    const group = await makeGroup();
    await group.lvm("lvcreate", "-L", "1M", "-n", "lost", "vg0", "d1.img");
    await group.lvm("lvcreate", "-L", "1M", "-n", "kept", "vg0", "d0.img");
    const one = (...words: string[]): ReturnType<MadeGroup["lvm"]> =>
      run(["lvm", ...words], { cwd: group.cwd });
    const refused = await one("vgreduce", "--removemissing", "vg0", "d0.img");
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/lost/) as string });
    expect(await one("vgreduce", "--removemissing", "--force", "vg0", "d0.img")).toMatchObject({ status: 0 });
    const left = await one("lvs", "d0.img", "--noheadings", "-o", "lv_name");
    expect(left.stdout.toString().trim()).toBe("kept");
    expect(await one("vgck", "vg0", "d0.img")).toMatchObject({ status: 0 });
  });

  test("are renamed, tagged and told how to allocate", async () => {
    const group = await makeGroup();
    expect(await group.lvm("vgchange", "--addtag", "x", "--alloc", "cling", "-l", "7", "vg0")).toMatchObject({
      status: 0,
    });
    expect(await group.lvm("vgrename", "vg0", "data")).toMatchObject({ status: 0 });
    expect(await cells(group, "vgs", "vg_name,vg_tags,vg_attr,max_lv")).toEqual(["data x wz--l- 7"]);
    expect(await group.lvm("vgchange", "data")).toMatchObject({ status: 2 });
    const active = await group.lvm("vgchange", "-ay", "data");
    expect(active).toMatchObject({
      status: 2,
      stderr: expect.stringMatching(/cev serve offers volumes/) as string,
    });
  });

  test("are exported and imported", async () => {
    const group = await makeGroup();
    await group.lvm("vgexport", "vg0");
    expect(await cells(group, "vgs", "vg_attr")).toEqual(["wzx-n-"]);
    expect(await group.lvm("lvcreate", "-L", "1M", "vg0")).toMatchObject({ status: 1 });
    await group.lvm("vgimport", "vg0");
    expect(await group.lvm("lvcreate", "-L", "1M", "vg0")).toMatchObject({ status: 0 });
    expect(await cells(group, "lvs", "lv_name")).toEqual(["lvol0"]);
  });

  test("are removed, with volumes in them only by force, and brought back from the archive", async () => {
    const group = await makeGroup();
    const content = randomBytes(100_000);
    await group.lvm("lvcreate", "-L", "2M", "-n", "a", "vg0");
    await fill(group, "vg0/a", content);
    const refused = await group.lvm("vgremove", "vg0");
    expect(refused).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/contains 1 logical volume/) as string,
    });
    const removed = await group.lvm("vgremove", "--force", "vg0", "--archive", "old");
    const [saved] = readdirSync(join(group.cwd, "old"));
    expect(removed.stdout.toString()).toContain(`saved the text before: ${join(group.cwd, "old", saved!)}\n`);
    expect(await cells(group, "vgs", "vg_name")).toEqual([]);
    const back = await group.lvm("vgcfgrestore", "-f", join("old", saved!), "vg0");
    expect(back).toMatchObject({ status: 0 });
    expect((await contentOf(group, "vg0/a", content.length)).equals(content)).toBe(true);
  });

  test("are saved to files, one for each, and made what a file says", async () => {
    const group = await makeGroup();
    await group.lvm("lvcreate", "-L", "2M", "-n", "a", "vg0");
    const saved = await group.lvm("vgcfgbackup", "-f", "saved/%s.vg");
    expect(saved.stdout.toString()).toBe(`the text is in ${join(group.cwd, "saved/vg0.vg")}\n`);
    expect(readFileSync(join(group.cwd, "saved/vg0.vg"), "latin1")).toMatch(
      /^contents = "Text Format Volume Group"$/m,
    );
    await group.lvm("lvrename", "vg0/a", "b");
    await group.lvm("vgcfgrestore", "--file", "saved/vg0.vg", "vg0");
    expect(await cells(group, "lvs", "lv_name")).toEqual(["a"]);
    const listed = await group.lvm("vgcfgrestore", "--list", "vg0", "--json");
    const { files } = JSON.parse(listed.stdout.toString()) as {
      files: { file: string; description: string }[];
    };
    expect(files.at(-1)).toMatchObject({ description: expect.stringMatching(/vgcfgrestore/) as string });
    expect(await group.lvm("vgcfgrestore", "-f", "nowhere", "vg0")).toMatchObject({ status: 1 });
    const unknown = await group.lvm("vgcfgrestore", "vg7");
    expect(unknown).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/nothing is saved of vg7.*--list/) as string,
    });
    // What is in force is saved after each change, too.
    expect(await group.lvm("vgcfgrestore", "vg0")).toMatchObject({ status: 0 });
    expect(await cells(group, "lvs", "lv_name")).toEqual(["a"]);
  });

  test("that were copied get an identity of their own", async () => {
    const group = await makeGroup();
    await group.lvm("lvcreate", "-L", "1M", "-n", "a", "vg0");
    for (const image of group.images)
      writeFileSync(join(group.cwd, `copy-${image}`), readFileSync(join(group.cwd, image)));
    const copies = group.images.map((image) => `copy-${image}`);
    const cloned = await run(
      ["lvm", "vgimportclone", "-n", "vgcopy", ...copies, "--devices", ...group.images],
      { cwd: group.cwd },
    );
    expect(cloned).toMatchObject({ status: 0 });
    const both = await run(["lvm", "lvs", ...group.images, ...copies, "--noheadings", "-o", "lv_full_name"], {
      cwd: group.cwd,
    });
    expect(both).toMatchObject({ status: 0, stderr: "" });
    expect(both.stdout.toString().trim().split(/\s+/)).toEqual(["vg0/a", "vgcopy/a"]);
  });

  test("are checked, and every fault is named", async () => {
    const group = await makeGroup();
    expect(await group.lvm("vgck", "vg0")).toMatchObject({ status: 0, stderr: "" });
    const path = join(group.cwd, "d1.img");
    const bytes = readFileSync(path);
    bytes[4100]! ^= 0xff;
    writeFileSync(path, bytes);
    const found = await group.lvm("vgck", "vg0");
    expect(found.status).toBe(1);
    expect(found.stderr).toMatch(/d1\.img/);
    const listed = await group.lvm("vgck", "vg0", "--json");
    const { results } = JSON.parse(listed.stdout.toString()) as { results: { rows: object[] }[] };
    expect(results[0]!.rows.length).toBeGreaterThan(0);
    expect(await group.lvm("vgck", "--updatemetadata", "vg0")).toMatchObject({ status: 0 });
    expect(await group.lvm("vgck", "vg0")).toMatchObject({ status: 0, stderr: "" });
  });
});

describe("volumes", () => {
  test("are made linear and striped, where they are wanted, and hold what is written", async () => {
    const group = await makeGroup();
    await group.lvm("lvcreate", "-L", "2M", "-n", "here", "vg0", "d1.img:3-9");
    await group.lvm("lvcreate", "-l", "50%FREE", "-i", "2", "-I", "16", "-n", "wide", "vg0");
    expect(await cells(group, "lvs", "lv_name,stripes,stripe_size,devices")).toEqual([
      "here 1 0  d1.img(3)",
      "wide 2 16.00k d0.img(0),d1.img(5)",
    ]);
    const content = randomBytes(5_000_000);
    await fill(group, "vg0/wide", content);
    expect((await contentOf(group, "vg0/wide", content.length)).equals(content)).toBe(true);
  });

  test("are resized, renamed, changed and removed", async () => {
    const group = await makeGroup();
    await group.lvm("lvcreate", "-L", "2M", "-n", "a", "vg0");
    expect(await group.lvm("lvextend", "-L", "+1M", "vg0/a")).toMatchObject({ status: 0 });
    expect(await group.lvm("lvresize", "-l", "+2", "vg0/a", "d1.img")).toMatchObject({ status: 0 });
    expect(await cells(group, "lvs", "lv_size,devices")).toEqual(["5.00m d0.img(0)", "5.00m d1.img(0)"]);
    const refused = await group.lvm("lvreduce", "-L", "1M", "vg0/a");
    expect(refused).toMatchObject({ status: 1, stderr: expect.stringMatching(/force/) as string });
    expect(await group.lvm("lvreduce", "-L", "1M", "-f", "vg0/a")).toMatchObject({ status: 0 });
    expect(await group.lvm("lvrename", "vg0", "a", "b")).toMatchObject({ status: 0 });
    expect(await group.lvm("lvrename", "vg0/b", "vg0/c")).toMatchObject({ status: 0 });
    expect(await group.lvm("lvchange", "-p", "r", "--addtag", "t", "vg0/c")).toMatchObject({ status: 0 });
    expect(await cells(group, "lvs", "lv_name,lv_size,lv_attr,lv_tags")).toEqual(["c 1.00m -ri------- t"]);
    expect(await group.lvm("lvremove", "vg0/c")).toMatchObject({ status: 0 });
    expect(await cells(group, "lvs", "lv_name")).toEqual([]);
  });

  test("that are removed together go by the name of their group, and origins only with their snapshots", async () => {
    const group = await makeGroup();
    await group.lvm("lvcreate", "-L", "2M", "-n", "a", "vg0");
    await group.lvm("lvcreate", "-s", "-L", "1M", "-n", "b", "vg0/a");
    expect(await group.lvm("lvremove", "vg0/a")).toMatchObject({ status: 1 });
    expect(await group.lvm("lvremove", "-y", "vg0")).toMatchObject({ status: 0 });
    expect(await cells(group, "lvs", "lv_name")).toEqual([]);
  });

  test("have snapshots, which keep what was, and take it back with a bar", async () => {
    const group = await makeGroup();
    const [before, after] = [randomBytes(300_000), randomBytes(300_000)];
    await group.lvm("lvcreate", "-L", "2M", "-n", "a", "vg0");
    await fill(group, "vg0/a", before);
    expect(await group.lvm("lvcreate", "-s", "-L", "1M", "-c", "8", "-n", "snap", "vg0/a")).toMatchObject({
      status: 0,
    });
    await fill(group, "vg0/a", after);
    expect((await contentOf(group, "vg0/snap", before.length)).equals(before)).toBe(true);
    expect((await contentOf(group, "vg0/a", after.length)).equals(after)).toBe(true);
    expect(await cells(group, "lvs", "lv_name,lv_attr,origin,chunk_size")).toEqual([
      "a owi---s---  0",
      "snap swi---s--- a 8.00k",
    ]);
    const merged = await group.lvm("lvconvert", "--merge", "vg0/snap", "--progress");
    expect(merged).toMatchObject({ status: 0 });
    expect(merged.stderr).toMatch(/merging vg0\/snap into vg0\/a \[#+\] 100%/);
    expect((await contentOf(group, "vg0/a", before.length)).equals(before)).toBe(true);
    expect(await cells(group, "lvs", "lv_name,lv_attr")).toEqual(["a -wi-------"]);
  });

  test.each([
    [["lvcreate", "-n", "b", "vg0"], 1, /size|extents/],
    [["lvcreate", "-L", "1G", "-n", "b", "vg0"], 1, /insufficient free space/],
    [["lvcreate", "-L", "1M", "-l", "1", "vg0"], 2, /cannot be used with/],
    [["lvcreate", "-L", "1M", "vg0/a"], 2, /origin of a snapshot/],
    [["lvcreate", "-s", "-L", "1M", "vg0"], 2, /vg0\/ORIGIN/],
    [["lvcreate", "--type", "raid1", "-L", "1M", "vg0"], 2, /linear, striped, snapshot/],
    [["lvextend", "vg0/a"], 2, /-L SIZE or -l EXTENTS/],
    [["lvextend", "-L", "1M", "vg0"], 2, /VG\/LV/],
    [["lvrename", "vg0", "a"], 2, /VG\/OLD NEW/],
    [["lvremove", "vg0/nothing"], 1, /nothing/],
    [["lvchange", "vg0/a"], 2, /say what is to change/],
    [["lvchange", "-ay", "vg0/a"], 2, /cev serve/],
    [["lvconvert", "vg0/a"], 2, /--merge/],
    [["vgcreate", "vg1", "nowhere.img"], 1, /--make-images/],
    [["vgcreate", "vg1", "d0.img"], 1, /vg0/],
    [["vgremove", "vg7"], 1, /no volume group vg7 on these devices; there is vg0/],
  ])("%j is refused with status %i", async (args, status, words) => {
    const group = await shared.group();
    const before = bytesOf(group);
    const ended = await group.lvm(...args);
    expect(ended.stderr).toMatch(words);
    expect(ended.stderr.trimEnd()).not.toContain("\n");
    expect(ended.status).toBe(status);
    expect(bytesOf(group).equals(before)).toBe(true);
  });
});
