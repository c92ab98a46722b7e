import { closeSync, cpSync, mkdirSync, openSync, writeSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { golden, hashFiles } from "./helpers.ts";
import { run } from "./in-process.ts";
import { archiveApart, makeGroup } from "./lvm-helpers.ts";

archiveApart();

interface Report {
  readonly report: readonly Readonly<Record<string, readonly Readonly<Record<string, string>>[]>>[];
  readonly problems: readonly { readonly code: string; readonly message: string }[];
}

const jsonOf = ({ stdout }: { readonly stdout: Buffer }): Report => JSON.parse(stdout.toString()) as Report;

describe("reports", () => {
  test("list a kernel's group in LVM2's columns, and write nothing", async () => {
    const { images, folder } = golden("lvm");
    const before = hashFiles(images);
    const names = images.map((path) => path.slice(folder.length + 1));
    const lvs = await run(["lvm", "lvs", ...names], { cwd: folder });
    expect(lvs.stderr).toBe("");
    expect(lvs.stdout.toString().split("\n")[0]).toBe(
      "  LV      VG  Attr       LSize   Pool Origin Data%  Meta%  Move Log Cpy%Sync Convert",
    );
    expect(lvs.stdout.toString()).toMatch(/^ {2}linear {2}vg1 -wi------- {3}2\.50m {52}$/m);
    const vgs = await run(["lvm", "vgs", ...names], { cwd: folder });
    expect(vgs.stdout.toString()).toMatch(
      /^ {2}VG {2}#PV #LV #SN Attr {3}VSize +VFree *\n {2}vg1 {3}2 +3 {3}0 wz--n- <7\.88m <4\.69m\n$/,
    );
    const pvs = await run(["lvm", "pvs", ...names], { cwd: folder });
    expect(pvs.stdout.toString()).toMatch(/^ {2}disk0\.img {2}vg1 lvm2 a-- +/m);
    expect(hashFiles(images)).toBe(before);
  });

  test("have the columns that were asked for, in the order that was asked for", async () => {
    const group = await makeGroup();
    await group.lvm("lvcreate", "-L", "3M", "-n", "small", "--addtag", "b", "--addtag", "a", "vg0");
    await group.lvm("lvcreate", "-l", "4", "-i", "2", "-n", "wide", "vg0");
    const sorted = await group.lvm("lvs", "-o", "lv_name,lv_tags", "-O", "-lv_size");
    expect(sorted.stdout.toString()).toBe(
      ["  LV    LV Tags", `  wide  ${" ".repeat(7)}`, "  small a,b    ", ""].join("\n"),
    );
    const added = await group.lvm("lvs", "-o", "+devices", "--noheadings", "vg0/wide");
    expect(added.stdout.toString().trimEnd()).toMatch(/d0\.img\(3\),d1\.img\(0\)$/);
    const segments = await group.lvm("pvs", "--segments", "-o", "pv_name,pvseg_start,pvseg_size,lv_name");
    expect(segments.stdout.toString()).toBe(
      [
        "  PV         Start SSize LV   ",
        "  d0.img         0     3 small",
        "  d0.img         3     2 wide ",
        "  d0.img         5    10      ",
        "  d1.img         0     2 wide ",
        "  d1.img         2    13      ",
        "",
      ].join("\n"),
    );
  });

  test.each([
    ["r", "3.00m"],
    ["b", "3145728B"],
    ["s", "6144S"],
    ["k", "3072.00k"],
    ["M", "3.15M"],
    ["g", "0.00g"],
    ["2m", "1.50U"],
  ])("show sizes in the unit %s as LVM2 does", async (unit, text) => {
    const group = await makeGroup();
    await group.lvm("lvcreate", "-L", "3M", "-n", "a", "vg0");
    const { stdout } = await group.lvm("lvs", "--noheadings", "-o", "size", "--units", unit);
    expect(stdout.toString().trim()).toBe(text);
  });

  test("are JSON in LVM2's shape, with problems beside", async () => {
    const group = await makeGroup();
    await group.lvm("lvcreate", "-L", "3M", "-n", "a", "vg0");
    const lvs = jsonOf(await group.lvm("lvs", "--json", "-o", "lv_name,vg_name,lv_size"));
    expect(lvs).toEqual({
      report: [{ lv: [{ lv_name: "a", vg_name: "vg0", lv_size: "3.00m" }] }],
      problems: [],
    });
    expect(jsonOf(await group.lvm("vgs", "--reportformat", "json")).report[0]!["vg"]![0]).toEqual({
      vg_name: "vg0",
      pv_count: "2",
      lv_count: "1",
      snap_count: "0",
      vg_attr: "wz--n-",
      vg_size: "30.00m",
      vg_free: "27.00m",
    });
    const half = jsonOf(
      await run(["lvm", "pvs", "d0.img", "--json", "-o", "pv_name,pv_attr"], { cwd: group.cwd }),
    );
    expect(half.report[0]!["pv"]).toEqual([
      { pv_name: "d0.img", pv_attr: "a--" },
      { pv_name: "[unknown]", pv_attr: "a-m" },
    ]);
    expect(half.problems.map(({ message }) => message).join()).toMatch(/missing/);
    expect(Object.keys(jsonOf(await group.lvm("lvs", "--segments", "--json")).report[0]!)).toEqual(["seg"]);
    expect(Object.keys(jsonOf(await group.lvm("pvs", "--segments", "--json")).report[0]!)).toEqual(["pvseg"]);
  });

  test("take groups, volumes and devices in one line, as long as these can be told apart", async () => {
    const { cwd, images } = await makeGroup();
    await run(["lvm", "lvcreate", "-L", "1M", "-n", "a", "vg0", ...images], { cwd });
    await run(["lvm", "lvcreate", "-L", "1M", "-n", "b", "vg0", ...images], { cwd });
    const one = await run(["lvm", "lvs", "vg0/b", ...images, "--noheadings", "-o", "lv_name"], { cwd });
    expect(one.stdout.toString()).toBe("  b \n".replace(" \n", "   \n"));
    const none = await run(["lvm", "lvs", "vg1", ...images], { cwd });
    expect(none).toMatchObject({
      status: 1,
      stderr:
        "cev: there is no volume group vg1 on these devices; there is vg0; --devices says where to look\n",
    });
    const volume = await run(["lvm", "lvs", "vg0/c", ...images], { cwd });
    expect(volume).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no volume c in the group vg0/) as string,
    });
  });

  test.each([
    [["lvm", "lvs"], /name the devices to look at/],
    [["lvm", "lvs", "-o", "colour", "x.img"], /there is no column colour: cev lvm lvs -o help/],
    [["lvm", "lvs", "--units", "q", "x.img"], /--units takes/],
    [["lvm", "lvz"], /unknown command 'lvz'/],
  ])("%j is a wrong call, said in one line", async (args, words) => {
    const ended = await run(args);
    expect(ended.status).toBe(2);
    expect(ended.stderr).toMatch(words);
    expect(ended.stderr.trimEnd()).not.toContain("\n");
  });

  test("take tags for names, each of what it lists", async () => {
    const group = await makeGroup();
    await group.lvm("pvchange", "--addtag", "fast", "d1.img");
    await group.lvm("lvcreate", "-L", "1M", "-n", "a", "--addtag", "@web", "vg0", "@fast");
    await group.lvm("lvcreate", "-L", "1M", "-n", "b", "vg0", "d0.img");
    const names = async (...words: string[]): Promise<string[]> => {
      const { stdout } = await group.lvm(...words, "--noheadings");
      return stdout
        .toString()
        .split(/\s+/)
        .filter((word) => word !== "");
    };
    expect(await names("lvs", "@web", "-o", "lv_name,devices")).toEqual(["a", "d1.img(0)"]);
    expect(await names("pvs", "@fast", "-o", "pv_name")).toEqual(["d1.img"]);
    expect(await names("vgs", "@web", "-o", "vg_name")).toEqual([]);
    await group.lvm("vgchange", "--addtag", "web", "vg0");
    expect(await names("vgs", "@web", "-o", "vg_name")).toEqual(["vg0"]);
    expect(await names("lvs", "@web", "-o", "lv_name")).toEqual(["a", "b"]);
    expect(await group.lvm("lvremove", "@web")).toMatchObject({ status: 0 });
    expect(await names("lvs", "-o", "lv_name")).toEqual(["b"]);
    expect(await group.lvm("lvremove", "@web")).toMatchObject({ status: 1 });
  });

  test("a group that is not there may be behind a lock", async () => {
    const { images } = golden("stack");
    const ended = await run(["lvm", "lvs", "vg0", ...images]);
    expect(ended).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no volume group vg0.*luks\/.* is locked: --passphrase-file/) as string,
    });
  });

  test("-o help lists the columns", async () => {
    const { stdout, status } = await run(["lvm", "vgs", "-o", "help"]);
    expect(stdout.toString()).toMatch(/^Volume groups\n {2}vg_fmt/m);
    expect(status).toBe(0);
  });

  test("two clones stand side by side, told apart by where they lie", async () => {
    const { cwd, images } = await makeGroup();
    await run(["lvm", "lvcreate", "-L", "1M", "-n", "a", "vg0", ...images], { cwd });
    mkdirSync(`${cwd}/copy`);
    for (const image of images) cpSync(`${cwd}/${image}`, `${cwd}/copy/${image}`);
    const copies = images.map((image) => `copy/${image}`);
    const { stdout, stderr } = await run(
      ["lvm", "lvs", ...images, ...copies, "--noheadings", "-o", "lv_full_name"],
      {
        cwd,
      },
    );
    const names = stdout.toString().trim().split(/\s+/);
    expect(names).toHaveLength(2);
    expect(names).toContain("vg0@copy/a");
    expect(stderr).toMatch(/2 groups are named vg0.*vgimportclone/);
  });
});

describe("pvck", () => {
  test("prints headers field by field, with their bytes", async () => {
    const group = await makeGroup();
    const { stdout, status } = await group.lvm("pvck", "--dump", "headers", "d0.img");
    expect(stdout.toString()).toMatch(/^ {2}label_header at 512\n {2}label_header\.id LABELONE\n/);
    expect(stdout.toString()).toContain("  mda_header_1.raw_locn[0] at 4136 # commit\n");
    expect(stdout.toString()).toMatch(/^ {2}metadata text at 4608 crc 0x[0-9a-f]+ # vgname vg0 seqno 1$/m);
    expect(status).toBe(0);
  });

  test("prints the text in force, and all that the area still holds", async () => {
    const group = await makeGroup();
    await group.lvm("lvcreate", "-L", "1M", "-n", "first", "vg0");
    await group.lvm("lvrename", "vg0/first", "second");
    const text = (await group.lvm("pvck", "--dump", "metadata", "d0.img")).stdout.toString();
    expect(text).toContain("second {");
    expect(text).not.toContain("first {");
    const area = (await group.lvm("pvck", "--dump", "metadata_area", "d0.img")).stdout.toString();
    expect(area).toContain("first {");
  });

  test("ends with 1 and names the byte where something is damaged", async () => {
    const group = await makeGroup();
    spoil(`${group.cwd}/d0.img`, 4100);
    const { status, stderr } = await group.lvm("pvck", "d0.img", "d1.img");
    expect(status).toBe(1);
    expect(stderr).toMatch(/d0\.img, LVM2 metadata area 0, field magic, at byte 4100/);
  });

  test("shows what there is where every copy of the metadata is damaged, and what to restore from", async () => {
    const group = await makeGroup();
    for (const image of group.images) spoil(`${group.cwd}/${image}`, 4100);
    const pvs = await group.lvm("pvs", "--noheadings", "-o", "pv_name,pv_attr");
    expect(pvs.stdout.toString()).toMatch(/d0\.img +u--\n +d1\.img +u--/);
    expect(pvs).toMatchObject({ status: 1, stderr: expect.stringMatching(/at byte 4100/) as string });
    const area = await group.lvm("pvck", "--dump", "metadata_area", "d0.img");
    expect(area.stdout.toString()).toContain("vg0 {");
    const checked = await group.lvm("vgck");
    expect(checked).toMatchObject({ status: 1, stderr: expect.stringMatching(/at byte 4100/) as string });
    expect(checked.stdout.toString()).not.toContain("no fault");
    const change = await group.lvm("lvcreate", "-L", "1M", "vg0");
    expect(change).toMatchObject({ status: 1, stderr: expect.stringMatching(/at byte 4100/) as string });
  });
});

function spoil(path: string, offset: number): void {
  const file = openSync(path, "r+");
  writeSync(file, Buffer.from([0xff]), 0, 1, offset);
  closeSync(file);
}
