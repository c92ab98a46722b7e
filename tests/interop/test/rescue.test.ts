import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { runOracle } from "../oracle/run-oracle.ts";
import { cev, hashDevice } from "../src/cev.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

const MIB = 1 << 20;
const SIZE = 12 * MIB;

const folder = mkdtempSync(join(tmpdir(), "cev-rescue-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const image = (name: string): string => {
  const path = join(folder, `${name}.img`);
  writeFileSync(path, "");
  truncateSync(path, SIZE);
  return path;
};

/** The server: an array that is in use when the power goes. Prints the hash of what it holds. */
const SERVER = `
mdadm --create /dev/md0 --run --level=5 --raid-devices=4 --bitmap=internal --name=data "$@" 2>/dev/null
while [ "$(cat /sys/block/md0/md/sync_action)" != idle ]; do sleep 0.1; done
echo 30 >/sys/block/md0/md/safe_mode_delay
head -c 8M /dev/urandom | dd of=/dev/md0 bs=1M iflag=fullblock conv=fsync status=none
sha256sum </dev/md0 | cut -d' ' -f1
`;

/** The new server: what the array holds, and whether its parity fits. */
const AGAIN = `
mdadm --assemble /dev/md0 "$@" 2>/dev/null
sha256sum </dev/md0 | cut -d' ' -f1
# Busy: a sync has begun since it was looked at.
until echo check 2>/dev/null >/sys/block/md0/md/sync_action; do sleep 0.05; done
mdadm --wait /dev/md0 || :
cat /sys/block/md0/md/mismatch_cnt
cat /sys/block/md0/md/degraded
`;

describeWith(ORACLE_TOOLS, "an array of a dead server, as docs/raid.md has it", () => {
  test("is read without the disk that is lost, made whole again, and taken back by a kernel", async () => {
    const [a, lost, c, d] = ["sda", "sdb", "sdc", "sdd"].map(image);
    const server = await runOracle({ script: SERVER, disks: [a!, lost!, c!, d!], mode: "power-cut" });
    expect(server.stderr).toBe("");
    const hash = server.stdout.trim();
    const rest = [a!, c!, d!];

    const stack = await cev(["raid", "detail", ...rest, "--force", "--stack"]);
    const file = join(folder, "data.yaml");
    writeFileSync(file, stack.stdout);
    expect(await hashDevice("md/oracle:data", [file])).toMatchObject({ sha256: hash, status: 0 });

    const refused = await cev(["raid", "add", ...rest, "--device", image("early")]);
    expect(refused.stderr).toMatch(/it lacks members, and was not shut down cleanly; .*assemble --force/);
    expect(refused.status).toBe(1);
    expect(await cev(["raid", "assemble", ...rest, "--force"])).toMatchObject({ status: 0 });
    const fresh = image("new");
    const added = await cev(["raid", "add", ...rest, "--device", fresh]);
    expect(added.stdout).toBe("new.img has been added\nmd/oracle:data: clean, 4 of 4 devices active\n");
    const checked = await cev(["raid", "check", ...rest, fresh]);
    expect(checked).toMatchObject({
      status: 0,
      stdout: expect.stringMatching(/^mismatch_cnt 0:/) as string,
    });

    const again = await runOracle({ script: AGAIN, disks: [fresh, ...rest], mode: "snapshot" });
    expect(again.stdout.trim().split("\n")).toEqual([hash, "0", "0"]);
  });
});
