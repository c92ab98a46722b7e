/** Layers are put into a stack and taken out of it while fio writes through it and verifies; then the kernel judges what is left. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { LiveTree } from "@cev/stack";
import { expect, test } from "vitest";
import { ControlClient } from "../live/control-client.ts";
import { runOracle } from "../oracle/run-oracle.ts";
import { Server, hashDevice } from "../src/cev.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { output } from "../src/run.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

const DEVICE = "vg0/other";
/** Drivers of the test kit, with their options. */
const LAYERS = [
  ["no-op", {}],
  ["checking", {}],
  ["throttle", { latencyMs: 1, requestsPerSecond: 20_000 }],
  ["no-op", { isAsync: true }],
  ["statistics", {}],
] as const;

// One line per finding: NAME VALUE.
const JUDGE = `
idle() { while [ "$(cat /sys/block/md0/md/sync_action)" != idle ]; do sleep 0.05; done; }
hash() { sha256sum <"$1" | cut -d' ' -f1; }
printf %s "$PASSPHRASE" >/run/key
mdadm --assemble --run /dev/md0 "$@" >&2
idle
# Busy: a sync has begun since it was looked at.
until echo check 2>/dev/null >/sys/block/md0/md/sync_action; do sleep 0.05; done
idle
echo "mismatches $(cat /sys/block/md0/md/mismatch_cnt)"
cryptsetup open --key-file /run/key /dev/md0 plain
vgchange -q -ay vg0 >&2
e2fsck -fn /dev/vg0/root >&2
echo "root $(hash /dev/vg0/root)"
echo "other $(hash /dev/vg0/other)"
`;

// CEV_LIVE_CHANGES=1000 is the long form; fio goes on for as long as that takes.
const CHANGES = Number(process.env["CEV_LIVE_CHANGES"] ?? 100);

describeWith(
  ["fio", ...ORACLE_TOOLS],
  "a stack of raid5, crypt and lvm that is changed while it is in use",
  () => {
    test(
      `takes ${CHANGES} layers in and out under fio with verify: no error, no lost byte`,
      { timeout: 300_000 + CHANGES * 1000 },
      async () => {
        using golden = new GoldenCopy("stack");
        const socket = join(golden.folder, "nbd");
        const controlPath = join(golden.folder, "control");
        const args = [...golden.images, ...golden.keys, "--device", DEVICE, "--control", controlPath];
        await using server = await Server.onSocket(socket, args);
        await expect.poll(() => existsSync(controlPath), { timeout: 60_000 }).toBe(true);
        using control = await ControlClient.to(controlPath);
        const before = (await control.ask({ command: "tree" })) as LiveTree;
        const places = [
          before.devices.find(({ lowers }) => lowers.length === 0)!.name,
          before.devices.find(({ driver }) => driver === "@cev/crypt")!.name,
          DEVICE,
        ];

        let isOver = false;
        const fio = verified(`nbd+unix:///?socket=${socket}`, () => isOver);
        // A write is under way when the first one is put in.
        await expect
          .poll(async () => JSON.stringify(await control.ask({ command: "trace", count: 1, op: "write" })), {
            timeout: 60_000,
          })
          .toBe('{"seen":1,"dropped":0}');
        for (let count = 0; count < CHANGES; count++) {
          const [kind, options] = LAYERS[count % LAYERS.length]!;
          const driver = `@cev/test-kit/${kind}`;
          const above = places[count % places.length]!;
          const { name } = (await control.ask({ command: "insert", above, driver, options })) as {
            readonly name: string;
          };
          // Some are exchanged for the next kind on the way.
          if (count % 4 === 0) {
            const [next, settings] = LAYERS[(count + 1) % LAYERS.length]!;
            const plan = { driver: `@cev/test-kit/${next}`, options: settings };
            await control.ask({ command: "replace", device: name, ...plan });
          }
          await control.ask({ command: "remove", device: name });
        }
        isOver = true;
        expect(await fio, "rounds of fio").toBeGreaterThan(0);
        expect(await control.ask({ command: "tree" })).toMatchObject({
          devices: before.devices.map(({ name, driver, lowers }) => ({ name, driver, lowers })),
        });
        const { status, stderr } = await server.stop("SIGINT");
        expect({ status, stderr }).toEqual({ status: 0, stderr: "" });

        // To the kernel its parity agrees with its data, what was beside it is as it was, and what was written is what cev reads.
        const written = await hashDevice(DEVICE, [...golden.images, ...golden.keys]);
        const { passphrase = "" } = golden.manifest;
        const verdict = await runOracle({
          script: JUDGE,
          disks: golden.images,
          mode: "snapshot",
          env: { PASSPHRASE: passphrase },
        });
        expect(verdict, "the kernel's run").toMatchObject({ status: 0 });
        const lines = verdict.stdout.trim().split("\n");
        expect(Object.fromEntries(lines.map((line) => line.split(" ") as [string, string]))).toEqual({
          mismatches: "0",
          root: golden.layer("vg0/root").sha256,
          other: written.sha256,
        });
      },
    );
  },
);

/** Has fio write, and read back what it wrote, until it is told to end. How many rounds those were. */
async function verified(uri: string, isOver: () => boolean): Promise<number> {
  let rounds = 0;
  do {
    const report = await output("fio", [
      "--name=verify",
      "--ioengine=nbd",
      `--uri=${uri}`,
      "--rw=randwrite",
      "--bsrange=4k-64k",
      "--size=6m",
      "--iodepth=16",
      "--verify=crc32c",
      "--verify_fatal=1",
      "--fsync=64",
      `--randseed=${rounds + 1}`,
      "--verify_state_save=0",
      "--output-format=json",
    ]);
    const { jobs } = JSON.parse(report.slice(report.indexOf("{"))) as { jobs: { error: number }[] };
    expect(jobs[0]).toMatchObject({ error: 0 });
    rounds++;
  } while (!isOver());
  return rounds;
}
