import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { runOracle } from "../oracle/run-oracle.ts";
import { Server } from "../src/cev.ts";
import { deviceName } from "../src/device-name.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { NbdClient } from "../src/nbd-client.ts";
import { writeRandomly } from "../src/random-writes.ts";
import { Random, chooseSeed } from "../src/random.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

const WRITES = 300;

interface Case {
  readonly golden: string;
  readonly layer: string;
  /** Indexes of the members that cev does not get to see. */
  readonly absent?: readonly number[];
  /** Few, so that most of the array stays as it was. */
  readonly writes?: number;
  /** What the kernel runs; the last word of its output is the hash. */
  readonly judge: string;
}

const HASH = 'hash() { sha256sum <"$1" | cut -d" " -f1; }\n';

// A dirty array is first brought in order by the kernel, a stale member brought up to date.
const RAID = `${HASH}
idle() { while [ "$(cat /sys/block/md0/md/sync_action)" != idle ]; do sleep 0.05; done; }
mdadm --assemble --run /dev/md0 "$@" >&2
mdadm --readwrite /dev/md0 >&2 || :
idle
first=$(hash /dev/md0)
if [ "$(cat /sys/block/md0/md/degraded)" != 0 ]; then
  for disk in "$@"; do
    mdadm --manage /dev/md0 --re-add "$disk" >&2 || mdadm --manage /dev/md0 --add "$disk" >&2 || :
  done
  while [ "$(cat /sys/block/md0/md/degraded)" != 0 ]; do sleep 0.05; done
  idle
fi
# Busy: a sync has begun since it was looked at.
until echo check 2>/dev/null >/sys/block/md0/md/sync_action; do sleep 0.05; done
idle
[ "$(cat /sys/block/md0/md/mismatch_cnt)" = 0 ] || { echo "mismatches: $(cat /sys/block/md0/md/mismatch_cnt)"; exit 1; }
echo 3 >/proc/sys/vm/drop_caches
[ "$first" = "$(hash /dev/md0)" ] || { echo "the data changed when the member came back"; exit 1; }
echo "$first"`;

const LUKS = `${HASH}
printf %s "$PASSPHRASE" >/run/key
cryptsetup open --key-file /run/key "$1" plain
hash /dev/mapper/plain`;

const LVM = `${HASH}
vgchange -q -ay >&2
hash "/dev/$LAYER"`;

// Arrays in every shape are the RAID matrix's; these have a history. LUKS in every shape is the crypt matrix's, of which a sample is always run.
const LUKS_CASES: readonly Case[] = [
  { golden: "luks-pbkdf2", layer: "luks", judge: LUKS },
  { golden: "luks1", layer: "luks", judge: LUKS },
];

const CASES: readonly Case[] = [
  { golden: "raid5-stale", layer: "md", judge: RAID },
  { golden: "raid5-dirty", layer: "md", judge: RAID },
  { golden: "raid5-bitmap", layer: "md", absent: [2], writes: 8, judge: RAID },
  { golden: "luks-4096", layer: "luks", judge: LUKS },
  ...(process.env["CEV_ALL_CASES"] === undefined ? [] : LUKS_CASES),
  { golden: "lvm", layer: "vg1/linear", judge: LVM },
  { golden: "gpt", layer: "vg2/data", judge: LVM },
];

describeWith(ORACLE_TOOLS, "the kernel accepts what cev wrote to each layer alone", () => {
  for (const { golden: name, layer, absent = [], writes = WRITES, judge } of CASES) {
    const seed = chooseSeed();
    const without = absent.length === 0 ? "" : ` without disk${absent.join(", disk")}`;
    test(`${name}, ${layer}${without}, ${writes} random writes, CEV_SEED=${seed}`, async () => {
      using golden = new GoldenCopy(name);
      const random = new Random(seed);
      const present = golden.images.filter((_, index) => !absent.includes(index));
      const isDegraded = absent.length > 0 || name === "raid5-stale";
      const args = [...random.shuffle(present), ...golden.keys, ...(isDegraded ? ["--degraded"] : [])];
      const device = deviceName(golden.manifest, layer);

      const socket = `${golden.folder}/nbd`;
      const server = await Server.onSocket(socket, [...args, "--device", device]);
      let sha256 = "";
      try {
        await using client = await NbdClient.connect(socket, device);
        const model = Uint8Array.from(await client.read(0, client.size));
        await writeRandomly(client, model, random, writes);
        sha256 = createHash("sha256").update(model).digest("hex");
      } finally {
        expect(await server.stop(), "cev serve").toMatchObject({ status: 0 });
      }

      const env = { PASSPHRASE: golden.manifest.passphrase ?? "", LAYER: layer };
      const verdict = await runOracle({ script: judge, disks: golden.images, mode: "snapshot", env });
      expect(verdict).toMatchObject({ status: 0, stdout: `${sha256}\n` });
      // Not rebuilt as a whole: the kernel believes the bitmap.
      if (name === "raid5-bitmap" && absent.length > 0) expect(verdict.stderr).toMatch(/re-added/);
    });
  }
});
