import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { runOracle } from "../oracle/run-oracle.ts";
import { Server } from "../src/cev.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { NbdClient } from "../src/nbd-client.ts";
import { writeRandomly } from "../src/random-writes.ts";
import { Random, chooseSeed, drawSome } from "../src/random.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

const WRITES = 1000;
/** Any one of the members is missing; each of the four where CEV_ALL_CASES is set. */
const ABSENT = drawSome([0, 1, 2, 3], 1, chooseSeed());

// Prints one line per finding: NAME VALUE. The kernel gets all members: the one that was away while cev wrote has
// fallen behind, which it has to see for itself, and is brought up to date. There is nothing to compare in a
// degraded array, so the check comes after that.
const JUDGE = `
idle() { while [ "$(cat /sys/block/md0/md/sync_action)" != idle ]; do sleep 0.05; done; }
hash() { sha256sum <"$1" | cut -d' ' -f1; }
printf %s "$PASSPHRASE" >/run/key
mdadm --assemble --run /dev/md0 "$@" >&2
idle
unlock() {
  cryptsetup open --key-file /run/key /dev/md0 plain
  vgchange -q -ay vg0 >&2
}
unlock
echo "before $(hash /dev/vg0/other)"
vgchange -q -an vg0 >&2
cryptsetup close plain
if [ "$ABSENT" ] && [ "$(cat /sys/block/md0/md/degraded)" != 0 ]; then
  eval "absent=\\\${$ABSENT}"
  mdadm --manage /dev/md0 --re-add "$absent" >&2 || mdadm --manage /dev/md0 --add "$absent" >&2
  while [ "$(cat /sys/block/md0/md/degraded)" != 0 ]; do sleep 0.05; done
  idle
fi
# Busy: a sync has begun since it was looked at.
until echo check 2>/dev/null >/sys/block/md0/md/sync_action; do sleep 0.05; done
idle
echo "mismatches $(cat /sys/block/md0/md/mismatch_cnt)"
echo 3 >/proc/sys/vm/drop_caches
unlock
e2fsck -fn /dev/vg0/root >&2
echo "other $(hash /dev/vg0/other)"
echo "root $(hash /dev/vg0/root)"
`;

describeWith(ORACLE_TOOLS, "the kernel accepts what cev wrote through RAID5, LUKS2 and LVM2", () => {
  for (const absent of [undefined, ...ABSENT]) {
    const seed = chooseSeed();
    const members = absent === undefined ? "all members" : `member ${absent} missing`;
    test(`${WRITES} random writes with ${members}, CEV_SEED=${seed}`, async () => {
      using golden = new GoldenCopy("stack");
      const { passphrase = "" } = golden.manifest;
      const random = new Random(seed);
      const present = random.shuffle(golden.images.filter((_, index) => index !== absent));
      const args = [...present, ...golden.keys, ...(absent === undefined ? [] : ["--degraded"])];
      const model = await writeThroughStack(golden, args, random);

      const expected = createHash("sha256").update(model).digest("hex");
      const verdict = await runOracle({
        script: JUDGE,
        disks: golden.images,
        mode: "snapshot",
        env: { PASSPHRASE: passphrase, ABSENT: absent === undefined ? "" : String(absent + 1) },
      });
      expect(verdict, "the kernel's run").toMatchObject({ status: 0 });
      const lines = verdict.stdout.trim().split("\n");
      const found = new Map(lines.map((line) => line.split(" ") as [string, string]));
      expect(Object.fromEntries(found)).toEqual({
        before: expected,
        mismatches: "0",
        other: expected,
        root: golden.layer("vg0/root").sha256,
      });
    });
  }
});

/** Serves the volume, writes to it, and gives what must be in it now. */
async function writeThroughStack(
  golden: GoldenCopy,
  args: readonly string[],
  random: Random,
): Promise<Uint8Array> {
  const socket = `${golden.folder}/nbd`;
  const server = await Server.onSocket(socket, [...args, "--device", "vg0/other"]);
  try {
    await using client = await NbdClient.connect(socket, "vg0/other");
    const model = Uint8Array.from(await client.read(0, client.size));
    expect(createHash("sha256").update(model).digest("hex"), "before the writes").toBe(
      golden.layer("vg0/other").sha256,
    );
    await writeRandomly(client, model, random, WRITES);
    const found = await client.read(0, client.size);
    expect(Buffer.compare(found, model), "what the device reads after the writes").toBe(0);
    return model;
  } finally {
    expect(await server.stop(), "cev serve").toMatchObject({ status: 0 });
  }
}
