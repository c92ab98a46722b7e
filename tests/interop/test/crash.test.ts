import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runOracle } from "../oracle/run-oracle.ts";
import { Server } from "../src/cev.ts";
import { deviceName } from "../src/device-name.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { NbdClient } from "../src/nbd-client.ts";
import { writeRandomly } from "../src/random-writes.ts";
import { Random, chooseSeed } from "../src/random.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

const SECTOR = 512;
const LENGTH = 49_152;
const STRIDE = 81_920;

interface Case {
  readonly golden: string;
  readonly layer: string;
  /** What the kernel does once the array runs; it leaves the device's content in the file `content`. */
  readonly read: string;
}

const CASES: readonly Case[] = [
  {
    golden: "stack",
    layer: "vg0/other",
    read: `
      printf %s "$PASSPHRASE" >/run/key
      cryptsetup open --key-file /run/key /dev/md0 plain
      vgchange -q -ay vg0 >&2
      e2fsck -fn /dev/vg0/root >&2
      [ "$(sha256sum </dev/vg0/root | cut -d' ' -f1)" = "$ROOT" ]
      cat /dev/vg0/other >content`,
  },
  // Here the kernel puts in order what the bitmap marks, and nothing else.
  { golden: "raid5-bitmap", layer: "md", read: "cat /dev/md0 >content" },
];

// The array was never closed, so the kernel has to bring its parity in order before a check finds nothing.
const JUDGE = `
idle() { while [ "$(cat /sys/block/md0/md/sync_action)" != idle ]; do sleep 0.05; done; }
mdadm --assemble --run /dev/md0 "$@" >&2
mdadm --readwrite /dev/md0 >&2 || :
idle
# Busy: a sync has begun since it was looked at.
until echo check 2>/dev/null >/sys/block/md0/md/sync_action; do sleep 0.05; done
idle
echo "mismatches $(cat /sys/block/md0/md/mismatch_cnt)"
`;

describeWith(ORACLE_TOOLS, "cev is killed while it writes", () => {
  for (const { golden: name, layer, read } of CASES) {
    const seed = chooseSeed();
    const claim =
      "what was answered is there, the rest is old or new by sectors, the parity can be put in order";
    test(`${name}, ${layer}: ${claim}, CEV_SEED=${seed}`, async () => {
      using golden = new GoldenCopy(name);
      const random = new Random(seed);
      const socket = join(golden.folder, "nbd");
      const device = deviceName(golden.manifest, layer);
      const server = await Server.onSocket(socket, [...golden.images, ...golden.keys, "--device", device]);
      const client = await NbdClient.connect(socket, device);
      const model = Uint8Array.from(await client.read(0, client.size));
      await writeRandomly(client, model, random, name === "stack" ? 100 : 4);

      const underWay = Array.from({ length: Math.floor(client.size / STRIDE) }, (_, index) => ({
        offset: index * STRIDE + random.below((STRIDE - LENGTH) / SECTOR) * SECTOR,
        data: random.bytes(LENGTH),
      }));
      const answered = new Set<number>();
      const send = (index: number): Promise<unknown> => {
        const { offset, data } = underWay[index]!;
        return client.write(offset, data).then(
          () => answered.add(index),
          () => undefined,
        );
      };
      // When the first answer is there, the second half follows, and no time is left to answer all of it.
      const half = underWay.length >> 1;
      const all = underWay.slice(0, half).map((_, index) => send(index));
      await Promise.race(all);
      for (let index = half; index < underWay.length; index++) all.push(send(index));
      await server.kill();
      await Promise.all(all);
      expect(answered.size, "it was killed in the middle").toBeLessThan(underWay.length);

      const work = join(golden.folder, "work");
      mkdirSync(work);
      const verdict = await runOracle({
        script: JUDGE + read,
        disks: golden.images,
        mode: "snapshot",
        env: {
          PASSPHRASE: golden.manifest.passphrase ?? "",
          ROOT: name === "stack" ? golden.layer("vg0/root").sha256 : "",
        },
        work,
      });
      expect(verdict, verdict.stderr).toMatchObject({ status: 0, stdout: "mismatches 0\n" });

      const found = readFileSync(join(work, "content"));
      for (const [index, { offset, data }] of underWay.entries()) {
        for (let at = 0; at < LENGTH; at += SECTOR) {
          const fresh = data.subarray(at, at + SECTOR);
          const isFresh = Buffer.compare(found.subarray(offset + at, offset + at + SECTOR), fresh) === 0;
          if (answered.has(index))
            expect(isFresh, `sector at ${offset + at} of an answered write`).toBe(true);
          if (isFresh) model.set(fresh, offset + at);
        }
      }
      const hash = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
      expect(hash(found), "every other byte").toBe(hash(model));
    });
  }
});
