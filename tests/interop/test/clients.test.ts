import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Server, cev, hashDevice } from "../src/cev.ts";
import { GoldenCopy } from "../src/golden-copy.ts";
import { Random } from "../src/random.ts";
import { output, run } from "../src/run.ts";
import { describeWith } from "../src/tools.ts";

const DEVICE = "vg0/other";

interface Place {
  /** Known once it is started. */
  readonly uri: string;
  readonly start: (args: readonly string[]) => Promise<Server>;
}

for (const transport of ["a Unix socket", "TCP"]) {
  describeWith(
    ["nbdinfo", "nbdcopy", "qemu-img", "fio"],
    `real clients, through the whole stack, over ${transport}`,
    () => {
      let golden: GoldenCopy;
      let place: Place;
      let server: Server;

      beforeAll(async () => {
        golden = new GoldenCopy("stack");
        place = transport === "TCP" ? onTcp() : onSocket(join(golden.folder, "nbd"));
        server = await place.start([
          ...golden.images,
          ...golden.keys,
          "--device",
          DEVICE,
          "--device",
          "vg0/root",
        ]);
      });
      afterAll(async () => {
        try {
          expect(await server.stop("SIGINT")).toMatchObject({ status: 0 });
        } finally {
          golden[Symbol.dispose]();
        }
      });

      test("nbdinfo shows the export", async () => {
        const { exports } = JSON.parse(await output("nbdinfo", ["--json", place.uri])) as NbdInfo;
        expect(exports).toHaveLength(1);
        expect(exports[0]).toMatchObject({
          "export-name": DEVICE,
          "export-size": golden.layer(DEVICE).size,
          is_read_only: false,
          can_flush: true,
          can_fua: true,
          can_trim: false,
          can_zero: true,
        });
      });

      test("nbdinfo lists the exports", async () => {
        const { exports } = JSON.parse(await output("nbdinfo", ["--list", "--json", place.uri])) as NbdInfo;
        expect(exports.map((entry) => entry["export-name"]).sort()).toEqual([DEVICE, "vg0/root"]);
      });

      test("nbdcopy copies out what the kernel wrote", async () => {
        const file = join(golden.folder, "out.raw");
        await output("nbdcopy", [place.uri, file]);
        expect(createHash("sha256").update(readFileSync(file)).digest("hex")).toBe(
          golden.layer(DEVICE).sha256,
        );
      });

      test("nbdcopy copies in, qemu-img and nbdcopy read the same back", async () => {
        const random = new Random(2);
        const content = Buffer.alloc(golden.layer(DEVICE).size);
        for (let at = 0; at < content.length; at += 1_048_576) content.set(random.bytes(700_001), at);
        const file = join(golden.folder, "in.raw");
        writeFileSync(file, content);
        await output("nbdcopy", ["--flush", file, place.uri]);
        await output("qemu-img", ["compare", "-f", "raw", "-F", "raw", file, place.uri]);
        const back = join(golden.folder, "back.raw");
        await output("nbdcopy", [place.uri, back]);
        expect(Buffer.compare(readFileSync(back), content)).toBe(0);
      });

      test("qemu-img info, convert and compare, both ways", async () => {
        const info = JSON.parse(
          await output("qemu-img", ["info", "--output=json", "-f", "raw", place.uri]),
        ) as {
          "virtual-size": number;
        };
        expect(info["virtual-size"]).toBe(golden.layer(DEVICE).size);

        const file = join(golden.folder, "out.qcow2");
        await output("qemu-img", ["convert", "-f", "raw", "-O", "qcow2", place.uri, file]);
        await output("qemu-img", ["compare", "-f", "qcow2", "-F", "raw", file, place.uri]);

        const changed = join(golden.folder, "changed.raw");
        writeFileSync(changed, new Random(3).bytes(golden.layer(DEVICE).size));
        const differs = await run("qemu-img", ["compare", "-f", "raw", "-F", "raw", changed, place.uri]);
        expect(differs.status, "qemu-img sees the difference").toBe(1);
        await output("qemu-img", ["convert", "-n", "-f", "raw", "-O", "raw", changed, place.uri]);
        await output("qemu-img", ["compare", "-f", "raw", "-F", "raw", changed, place.uri]);
      });

      test("fio writes at random at depth 32, and verifies each block's crc32c", async () => {
        for (const [blocks, size] of [
          ["4k", "4m"],
          ["512-64k", "8m"],
        ] as const) {
          const report = await output("fio", [
            "--name=verify",
            "--ioengine=nbd",
            `--uri=${place.uri}`,
            "--rw=randwrite",
            blocks.includes("-") ? `--bsrange=${blocks}` : `--bs=${blocks}`,
            `--size=${size}`,
            "--iodepth=32",
            "--verify=crc32c",
            "--verify_fatal=1",
            "--fsync=64",
            "--randseed=4",
            "--verify_state_save=0",
            "--output-format=json",
          ]);
          const { jobs } = JSON.parse(report.slice(report.indexOf("{"))) as {
            jobs: { error: number; read: { total_ios: number } }[];
          };
          expect(jobs).toHaveLength(1);
          expect(jobs[0]).toMatchObject({ error: 0 });
          expect(jobs[0]!.read.total_ios, "blocks that were read back").toBeGreaterThan(100);
        }
      });

      test("four connections at once see one device", async () => {
        const report = await output("fio", [
          "--name=parallel",
          "--ioengine=nbd",
          `--uri=${place.uri}`,
          "--rw=randwrite",
          "--bs=4k",
          "--size=1m",
          "--offset_increment=2m",
          "--numjobs=4",
          "--verify_state_save=0",
          "--iodepth=8",
          "--verify=crc32c",
          "--verify_fatal=1",
          "--group_reporting",
          "--output-format=json",
        ]);
        const { jobs } = JSON.parse(report.slice(report.indexOf("{"))) as { jobs: { error: number }[] };
        expect(jobs[0]).toMatchObject({ error: 0 });
      });

      test("the neighbouring volume is untouched by all of it", async () => {
        const file = join(golden.folder, "root.raw");
        await output("nbdcopy", [place.uri.replace(DEVICE, "vg0/root"), file]);
        expect(createHash("sha256").update(readFileSync(file)).digest("hex")).toBe(
          golden.layer("vg0/root").sha256,
        );
      });
    },
  );
}

describeWith(["nbdinfo", "nbdcopy"], "cev serve --read-only", () => {
  test("says so, refuses writes, and changes no image", async () => {
    using golden = new GoldenCopy("luks-pbkdf2");
    const before = golden.hashImages();
    const place = onSocket(join(golden.folder, "nbd"));
    const device = `luks/${golden.manifest.facts["luks.uuid"]!}`;
    const uri = place.uri.replace(DEVICE, device);
    {
      await using server = await place.start([
        ...golden.images,
        ...golden.keys,
        "--device",
        device,
        "--read-only",
      ]);
      const { exports } = JSON.parse(await output("nbdinfo", ["--json", uri])) as NbdInfo;
      expect(exports[0]).toMatchObject({ is_read_only: true });
      expect((await run("nbdcopy", [golden.images[0]!, uri])).status).not.toBe(0);
      const file = join(golden.folder, "out.raw");
      await output("nbdcopy", [uri, file]);
      expect(createHash("sha256").update(readFileSync(file)).digest("hex")).toBe(golden.layer("luks").sha256);
      expect(server).toBeDefined();
    }
    expect(golden.hashImages()).toBe(before);
  });
});

describeWith(["nbdcopy"], "cev copy", () => {
  test("--from writes what nbdcopy then reads", async () => {
    using golden = new GoldenCopy("stack");
    const content = new Random(5).bytes(golden.layer(DEVICE).size);
    const file = join(golden.folder, "in.raw");
    writeFileSync(file, content);
    const args = [...golden.images, ...golden.keys];
    expect(await cev(["copy", ...args, "--device", DEVICE, "--from", file])).toMatchObject({ status: 0 });
    const sha256 = createHash("sha256").update(content).digest("hex");
    expect(await hashDevice(DEVICE, args)).toMatchObject({ status: 0, sha256 });
  });
});

interface NbdInfo {
  readonly exports: readonly { readonly "export-name": string }[];
}

function onSocket(socket: string): Place {
  return {
    uri: `nbd+unix:///${DEVICE}?socket=${socket}`,
    start: (args) => Server.onSocket(socket, args),
  };
}

function onTcp(): Place {
  let port = 0;
  return {
    get uri() {
      return `nbd://127.0.0.1:${port}/${DEVICE}`;
    },
    async start(args) {
      const server = await Server.onPort(args);
      port = server.port;
      return server;
    },
  };
}
