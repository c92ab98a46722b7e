import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runOracle } from "../oracle/run-oracle.ts";
import { Server } from "../src/cev.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { NbdClient } from "../src/nbd-client.ts";
import { writeRandomly } from "../src/random-writes.ts";
import { Random, chooseSeed } from "../src/random.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

const SECTOR = 512;
const LENGTH = 49_152;

// The array was never closed, so the kernel has to bring its parity in order before a check finds nothing.
const JUDGE = `
idle() { while [ "$(cat /sys/block/md0/md/sync_action)" != idle ]; do sleep 0.05; done; }
mdadm --assemble --run /dev/md0 "$@" >&2
mdadm --readwrite /dev/md0 >&2 || :
idle
echo check >/sys/block/md0/md/sync_action
idle
echo "mismatches $(cat /sys/block/md0/md/mismatch_cnt)"
printf %s "$PASSPHRASE" >/run/key
cryptsetup open --key-file /run/key /dev/md0 plain
vgchange -q -ay vg0 >&2
e2fsck -fn /dev/vg0/root >&2
echo "root $(sha256sum </dev/vg0/root | cut -d' ' -f1)"
cat /dev/vg0/other >other.raw
`;

describeWith(ORACLE_TOOLS, "cev is killed while it writes", () => {
  const seed = chooseSeed();
  const title =
    "what was answered is there, the rest is old or new sector by sector, the parity can be put in order";
  test(`${title}, CEV_SEED=${seed}`, { timeout: 60_000 }, async () => {
    using golden = new GoldenCopy("stack");
    const random = new Random(seed);
    const socket = join(golden.folder, "nbd");
    const server = await Server.onSocket(socket, [...golden.images, ...golden.keys, "--device", "vg0/other"]);
    const client = await NbdClient.connect(socket, "vg0/other");
    const model = Uint8Array.from(await client.read(0, client.size));
    await writeRandomly(client, model, random, 100);

    const underWay = Array.from({ length: 100 }, (_, index) => ({
      offset: index * 81_920 + random.below(32) * SECTOR,
      data: random.bytes(LENGTH),
    }));
    const answered = new Set<number>();
    const all = underWay.map(({ offset, data }, index) =>
      client.write(offset, data).then(
        () => answered.add(index),
        () => undefined,
      ),
    );
    await Promise.race(all);
    await server.kill();
    await Promise.all(all);
    expect(answered.size, "it was killed in the middle").toBeLessThan(underWay.length);

    const work = join(golden.folder, "work");
    mkdirSync(work);
    const env = { PASSPHRASE: golden.manifest.passphrase ?? "" };
    const verdict = await runOracle({ script: JUDGE, disks: golden.images, mode: "snapshot", env, work });
    expect(verdict).toMatchObject({
      status: 0,
      stdout: `mismatches 0\nroot ${golden.layer("vg0/root").sha256}\n`,
    });

    const found = readFileSync(join(work, "other.raw"));
    for (const [index, { offset, data }] of underWay.entries()) {
      for (let at = 0; at < LENGTH; at += SECTOR) {
        const fresh = data.subarray(at, at + SECTOR);
        const isFresh = Buffer.compare(found.subarray(offset + at, offset + at + SECTOR), fresh) === 0;
        if (answered.has(index)) expect(isFresh, `sector at ${offset + at} of an answered write`).toBe(true);
        if (isFresh) model.set(fresh, offset + at);
      }
    }
    const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
    expect(hash(found), "every other byte").toBe(hash(model));
  });
});
