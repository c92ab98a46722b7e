import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "@cev/cli";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { runOracle } from "../oracle/run-oracle.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

const folder = mkdtempSync(join(tmpdir(), "lvm-reports-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// Named so that they are as long as what the kernel calls them: then the columns are as wide, too.
const disks = [0, 1, 2, 3, 4, 5].map((index) => join(folder, `disk${index}.img`));

/** A group of every type that lvcreate makes, and one with a thin pool and a physical volume without metadata. */
const MAKE = `
export LVM_SUPPRESS_FD_WARNINGS=1
pvcreate -q $1 $2 $3 $4 $5
pvcreate -q --metadatacopies 0 $6
vgcreate -q -s 1m --addtag red vg0 $1 $2 $3 $4
make() { lvcreate -q -y -Wn -Zn "$@"; }
make -l 4 -n linear vg0
make -l 4 -i 2 -I 64k -n striped vg0
make -l 3 -n ro -pr --addtag blue --addtag green vg0
lvextend -q -l +2 vg0/ro $3
make --type raid1 -m 1 -l 4 --nosync -n r1 vg0
make --type raid5 -i 2 -l 4 -n r5 vg0
make --type raid10 -i 2 -m 1 -l 4 -n r10 vg0
make --type raid0 -i 2 -l 4 -n r0 vg0
make --type mirror -m 1 -l 4 -n mir vg0
make --type mirror -m 1 --mirrorlog core -l 2 -n mircore vg0
lvcreate -q -y -s -l 2 -n snap vg0/linear
lvcreate -q -y -s -l 2 -c 16k -n snap2 vg0/linear
make --type error -l 2 -n err vg0
make --type zero -l 2 -n zer vg0
make -L 1m -n contig -C y vg0
vgcreate -q -s 4m tvg $5 $6
lvcreate -q -y --type thin-pool -L 16m -c 64k --poolmetadatasize 4m -n pool tvg
lvcreate -q -y --type thin -V 100m -n thin --thinpool pool tvg
lvcreate -q -y -s -n tsnap tvg/thin
exec 3</dev/vg0/linear
lvconvert -q -y --merge vg0/snap2
exec 3<&-
vgchange -q -an vg0 tvg
`;

const LV_COLUMNS =
  "lv_name,lv_full_name,lv_uuid,lv_size,seg_count,lv_tags,lv_path,lv_dm_path,lv_parent,data_lv,metadata_lv,pool_lv,origin," +
  "origin_size,mirror_log,lv_time,lv_host,lv_read_ahead,lv_allocation_policy,lv_when_full,lv_metadata_size,lv_skip_activation,lv_merging";
const SEGMENT_COLUMNS =
  "lv_name,segtype,stripes,data_stripes,data_copies,stripe_size,region_size,chunk_size,thin_count,discards,zero," +
  "transaction_id,thin_id,seg_start,seg_start_pe,seg_size,seg_size_pe,seg_pe_ranges,seg_le_ranges,devices,metadata_devices";
const PV_COLUMNS =
  "pv_name,pv_uuid,dev_size,pe_start,pv_size,pv_free,pv_used,pv_attr,pv_allocatable,pv_exported,pv_missing,pv_pe_count," +
  "pv_pe_alloc_count,pv_tags,pv_mda_count,pv_mda_used_count,pv_mda_free,pv_mda_size,pv_ba_start,pv_ba_size,pv_in_use,pv_ext_vsn,pv_fmt";
const VG_COLUMNS =
  "vg_fmt,vg_uuid,vg_name,vg_attr,vg_permissions,vg_extendable,vg_exported,vg_partial,vg_allocation_policy,vg_clustered,vg_shared," +
  "vg_size,vg_free,vg_systemid,vg_lock_type,vg_extent_size,vg_extent_count,vg_free_count,max_lv,max_pv,pv_count,vg_missing_pv_count," +
  "lv_count,snap_count,vg_seqno,vg_tags,vg_mda_count,vg_mda_used_count,vg_mda_free,vg_mda_size,vg_mda_copies";

const REPORTS = [
  "pvs",
  "vgs",
  "lvs",
  "lvs -a",
  "lvs -a -o +devices",
  "lvs -a --segments",
  "pvs --segments",
  "pvs -o +lv_name,devices",
  "vgs -o +lv_name",
  "vgs -o +pv_name",
  `lvs -a -o ${LV_COLUMNS}`,
  `lvs -a -o ${SEGMENT_COLUMNS}`,
  `pvs -o ${PV_COLUMNS}`,
  `vgs -o ${VG_COLUMNS}`,
  "lvs -a -o lv_name,lv_size,seg_size --units b",
  "lvs -a -o lv_name,lv_size,seg_size --units G",
  "lvs -a -o lv_name,lv_size --units h --nosuffix",
  "vgs -o vg_size,vg_free --units 3m --noheadings",
  "lvs -a --noheadings --separator :",
  "lvs -a -O -lv_size,lv_name -o lv_name,lv_attr",
  "lvs -a vg0/r5",
  "lvs -v",
  "vgs -v",
  "pvs -v",
  "pvs -o pv_name,lv_name,segtype,stripes,data_stripes,data_copies,seg_start,seg_size,seg_size_pe,zero",
  "lvs -a -o lv_name,lv_modules,lv_autoactivation",
  "vgs -o vg_name,vg_autoactivation",
];
const JSON_REPORTS = ["lvs -a -o +devices", "vgs", "pvs", "lvs --segments", "pvs --segments"];
const DUMPS = [0, 5];

const MARK = "=== ";
const QUIET = "export LVM_SUPPRESS_FD_WARNINGS=1 TZ=UTC";
const scriptOf = (reports: readonly string[]): string =>
  [QUIET, ...reports.map((report) => `echo "${MARK}${report}"; ${report}`)].join("\n");
const ALL = [
  scriptOf(REPORTS),
  ...JSON_REPORTS.map((report) => `echo "${MARK}json ${report}"; ${report} --reportformat json`),
  ...DUMPS.map((index) => `echo "${MARK}headers ${index}"; pvck --dump headers $${index + 1}`),
].join("\n");
const PARTIAL = ["pvs", "vgs", "lvs -a", `pvs -o ${PV_COLUMNS}`];

/** What LVM2 prints of each report, with the devices called as their images are. */
async function askLvm2(script: string, images: readonly string[]): Promise<ReadonlyMap<string, string>> {
  const { status, stdout, stderr } = await runOracle({ script, disks: images, mode: "snapshot" });
  if (status !== 0) throw new Error(stderr);
  let text = stdout;
  for (const [index, path] of images.entries())
    text = text.replaceAll(`/dev/ubd${"abcdef"[index]!}`, path.slice(folder.length + 1));
  return new Map(
    text
      .split(MARK)
      .slice(1)
      .map((part) => [part.slice(0, part.indexOf("\n")), part.slice(part.indexOf("\n") + 1)]),
  );
}

/** What `cev lvm` prints, run in this process: so many of their own would take their time. */
async function askCev(report: string, images: readonly string[]): Promise<string> {
  let text = "";
  const out = vi.spyOn(process.stdout, "write").mockImplementation((data) => {
    text += Buffer.from(data).toString();
    return true;
  });
  const err = vi.spyOn(process.stderr, "write").mockImplementation(() => true);
  try {
    await main(["lvm", ...report.split(" "), "--devices", ...images]);
    return text;
  } finally {
    out.mockRestore();
    err.mockRestore();
  }
}

const lines = (text: string): string[] => text.split("\n");

describeWith(ORACLE_TOOLS, "reports on groups of every type", () => {
  let lvm2: ReadonlyMap<string, string>;
  beforeAll(async () => {
    process.env["TZ"] = "UTC";
    for (const path of disks) {
      writeFileSync(path, "");
      truncateSync(path, 40 << 20);
    }
    const made = await runOracle({ script: MAKE, disks });
    if (made.status !== 0) throw new Error(made.stderr);
    lvm2 = await askLvm2(ALL, disks);
  }, 120_000);

  test.each(REPORTS)("%s is LVM2's to the letter", async (report) => {
    expect(lines(await askCev(report, disks))).toEqual(lines(lvm2.get(report)!));
  });

  test.each(JSON_REPORTS)("%s is LVM2's as JSON", async (report) => {
    const { report: own } = JSON.parse(await askCev(`${report} --json`, disks)) as { report: unknown };
    const { report: theirs } = JSON.parse(lvm2.get(`json ${report}`)!) as { report: unknown };
    expect(own).toEqual(theirs);
  });

  test.each(DUMPS)("the headers of disk %i are LVM2's to the letter", async (index) => {
    const stdout = await askCev(`pvck --dump headers disk${index}.img`, disks);
    expect(lines(stdout)).toEqual(lines(lvm2.get(`headers ${index}`)!));
  });

  test("with two disks missing, what is partial is LVM2's to the letter", async () => {
    const present = [disks[0]!, disks[2]!, disks[3]!, disks[4]!];
    const theirs = await askLvm2(scriptOf(PARTIAL), present);
    for (const report of PARTIAL)
      expect(lines(await askCev(report, present))).toEqual(lines(theirs.get(report)!));
  });
});
