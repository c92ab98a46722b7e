/** Layers are put into a stack and taken out of it while fio writes through it and verifies. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { LiveTree } from "@cev/stack";
import { expect, test } from "vitest";
import { ControlClient } from "../live/control-client.ts";
import { Server, cev, hashDevice } from "../src/cev.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { output } from "../src/run.ts";
import { describeWith } from "../src/tools.ts";

const DEVICE = "vg0/other";
const DRIVER = join(import.meta.dirname, "../live/filter-drivers.ts");
const KINDS = ["no-op", "checking", "async", "statistics"] as const;
// CEV_LIVE_CHANGES=1000 is the long form; fio goes on for as long as that takes.
const CHANGES = Number(process.env["CEV_LIVE_CHANGES"] ?? 100);

describeWith(["fio"], "a stack of raid5, crypt and lvm that is changed while it is in use", () => {
  test(
    `takes ${CHANGES} layers in and out under fio with verify: no error, no lost byte`,
    { timeout: 60_000 + CHANGES * 1000 },
    async () => {
      using golden = new GoldenCopy("stack");
      const socket = join(golden.folder, "nbd");
      const controlPath = join(golden.folder, "control");
      const args = [...golden.images, ...golden.keys, "--device", DEVICE, "--control", controlPath];
      await using server = await Server.onSocket(socket, args);
      await expect.poll(() => existsSync(controlPath)).toBe(true);
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
          timeout: 30_000,
        })
        .toBe('{"seen":1,"dropped":0}');
      for (let count = 0; count < CHANGES; count++) {
        const options = { kind: KINDS[count % KINDS.length]! };
        const above = places[count % places.length]!;
        const { name } = (await control.ask({ command: "insert", above, driver: DRIVER, options })) as {
          readonly name: string;
        };
        await control.ask({ command: "remove", device: name });
      }
      isOver = true;
      expect(await fio, "rounds of fio").toBeGreaterThan(0);
      expect(await control.ask({ command: "tree" })).toMatchObject({
        devices: before.devices.map(({ name, driver, lowers }) => ({ name, driver, lowers })),
      });
      const { status, stderr } = await server.stop("SIGINT");
      expect({ status, stderr }).toEqual({ status: 0, stderr: "" });

      // What was beside it is as the kernel left it, and parity agrees with the data.
      const beside = await hashDevice("vg0/root", [...golden.images, ...golden.keys]);
      expect(beside.sha256).toBe(golden.layer("vg0/root").sha256);
      const check = await cev(["raid", "check", ...golden.images, "--json"]);
      expect(check, check.stderr).toMatchObject({ status: 0 });
    },
  );
});

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
