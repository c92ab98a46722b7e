import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runOracle } from "../oracle/run-oracle.ts";
import { cev, hashDevice } from "../src/cev.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

const folder = mkdtempSync(join(tmpdir(), "cev-lvm-guide-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The server: a partition and a disk, a volume that was changed since its snapshot. Prints what the volume held before. */
const SERVER = `
export LVM_SUPPRESS_FD_WARNINGS=1
printf 'label: gpt\\n,4M\\n,,lvm\\n' | sfdisk -q $1
pvcreate -q \${1}2 $2 >/dev/null
vgcreate -q vg0 \${1}2 $2 >/dev/null
lvcreate -q -y -Wn -Zn -L 24M -n root vg0 >/dev/null 2>&1
lvcreate -q -y -Wn -Zn -L 16M -i 2 -n home vg0 >/dev/null 2>&1
seq 1 400000 | dd of=/dev/vg0/root bs=1M conv=fsync status=none
seq 5 200000 | dd of=/dev/vg0/home bs=1M conv=fsync status=none
sha256sum </dev/vg0/root | cut -d' ' -f1
sha256sum </dev/vg0/home | cut -d' ' -f1
lvcreate -q -y -s -L 8M -n before vg0/root >/dev/null
seq 7 100000 | dd of=/dev/vg0/root bs=1M conv=fsync,notrunc status=none
vgchange -q -an vg0 >/dev/null
`;

/** Again in a kernel: what LVM2 says of the group, and what the volumes hold. */
const AGAIN = `
export LVM_SUPPRESS_FD_WARNINGS=1
vgck vg0
lvs --noheadings --separator ' ' -o lv_name,lv_attr,lv_size vg0
vgchange -q -ay vg0 >/dev/null
for volume in root home; do sha256sum </dev/vg0/$volume | cut -d' ' -f1; done
`;

describeWith(ORACLE_TOOLS, "volumes of a server's disks, as docs/lvm.md has it", () => {
  test("are read beside their copies, taken back to their snapshot, restored, and taken over by a kernel", async () => {
    const disks = ["sda", "sdb"].map((name) => join(folder, "tuesday", `${name}.img`));
    mkdirSync(join(folder, "tuesday"));
    for (const path of disks) {
      writeFileSync(path, "");
      truncateSync(path, 64 << 20);
    }
    const server = await runOracle({ script: SERVER, disks });
    expect(server.stderr).toBe("");
    const [root = "", home = ""] = server.stdout.trim().split("\n");
    expect(await hashDevice("vg0/before", disks)).toMatchObject({ sha256: root, status: 0 });

    cpSync(join(folder, "tuesday"), join(folder, "monday"), { recursive: true });
    const copies = ["sda", "sdb"].map((name) => join(folder, "monday", `${name}.img`));
    const both = [...disks, ...copies];
    expect(await hashDevice("vg0@monday/before", both)).toMatchObject({ sha256: root, status: 0 });

    const archive = ["--archive", join(folder, "archive"), "-q"];
    const merged = await cev(["lvm", "lvconvert", "--merge", "vg0/before", ...disks, ...archive]);
    expect(merged).toMatchObject({ status: 0, stderr: "" });
    expect(await cev(["lvm", "lvremove", "vg0/home", ...disks, ...archive])).toMatchObject({ status: 0 });
    const saved = readdirSync(join(folder, "archive")).toSorted().at(-1)!;
    const text = join(folder, "archive", saved);
    expect(await cev(["lvm", "vgcfgrestore", "-f", text, "vg0", ...disks, ...archive])).toMatchObject({
      status: 0,
    });
    const grown = await cev(["lvm", "lvextend", "-L", "+8M", "vg0/home", "--devices", ...disks, "-A", "n"]);
    expect(grown).toMatchObject({ status: 0, stderr: "" });
    expect(await hashDevice("vg0@monday/home", both)).toMatchObject({ sha256: home, status: 0 });

    const again = await runOracle({ script: AGAIN, disks, mode: "snapshot" });
    expect(again.stderr).toBe("");
    const { sha256 } = await hashDevice("vg0/home", disks);
    expect(again.stdout.trim().split(/\s*\n\s*/)).toEqual([
      "home -wi------- 24.00m",
      "root -wi------- 24.00m",
      root,
      sha256,
    ]);
  });
});
