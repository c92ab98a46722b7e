import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  Command,
  cev,
  driverModule,
  golden,
  hashFiles,
  layerHash,
  sha256,
  shellCommand,
  temporaryFolder,
} from "./helpers.ts";
import { run } from "./in-process.ts";

// Runs a command on a terminal; part of util-linux.
const SCRIPT = "script";
const hasScript = spawnSync(SCRIPT, ["--version"]).status === 0;

describe("cev copy --to", () => {
  test("gives what the kernel saw, byte for byte", async () => {
    const set = golden("stack");
    const out = join(set.folder, "out.img");
    const { status, stderr } = await cev([
      "copy",
      ...set.images,
      ...set.keys,
      "--device",
      "vg0/root",
      "--to",
      out,
    ]);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(hashFiles([out])).toBe(layerHash(set, "vg0/root"));
  });

  test("leaves holes where the device holds zeroes", async () => {
    const set = golden("gpt");
    const out = join(set.folder, "out.img");
    await cev(["copy", ...set.images, "--device", "disk0.img/p1", "--to", out]);
    expect(hashFiles([out])).toBe(layerHash(set, "p1"));
    const { size, blocks } = statSync(out);
    expect(size).toBe(3 << 20);
    expect(blocks * 512).toBeLessThan(size / 2);
  });

  test("into a file that is there replaces all of it", async () => {
    const set = golden("gpt");
    const out = join(set.folder, "out.img");
    writeFileSync(out, Buffer.alloc(5 << 20, 0xff));
    await cev(["copy", ...set.images, "--device", "disk0.img/p1", "--to", out]);
    expect(hashFiles([out])).toBe(layerHash(set, "p1"));
  });

  test("- is standard output", async () => {
    const set = golden("mbr");
    const { stdout, status } = await cev(["copy", ...set.images, "--device", "disk0.img/p5", "--to", "-"]);
    expect(sha256(stdout)).toBe(layerHash(set, "p5"));
    expect(status).toBe(0);
  });

  test("of a degraded array warns and goes on", async () => {
    const set = golden("raid5-4k");
    const { stdout, stderr, status } = await cev([
      "copy",
      ...set.images.slice(1),
      "--device",
      "md/oracle:small-chunks",
      "--to",
      "-",
    ]);
    expect(sha256(stdout)).toBe(layerHash(set, "md"));
    expect(stderr).toMatch(/^cev: warning: .*degraded/);
    expect(status).toBe(0);
  });

  test("of what is not there says what is", async () => {
    const { images } = golden("gpt");
    const { status, stderr } = await cev(["copy", ...images, "--device", "vg0/root", "--to", "-"]);
    expect(stderr).toBe(
      "cev: there is no device vg0/root; there are disk0.img, disk0.img/p1, disk0.img/p2, vg2/data\n",
    );
    expect(status).toBe(1);
  });

  test("onto one of its own images is refused, and the image stays", async () => {
    const { images } = golden("gpt");
    const before = hashFiles(images);
    const { status, stderr } = await cev(["copy", ...images, "--device", "vg2/data", "--to", images[0]!]);
    expect(stderr).toMatch(/this is the image disk0\.img itself/);
    expect(status).toBe(1);
    expect(hashFiles(images)).toBe(before);
  });

  test("into a folder that is not there fails in one line and leaves nothing", async () => {
    const { images, folder } = golden("gpt");
    const { status, stderr } = await cev([
      "copy",
      ...images,
      "--device",
      "vg2/data",
      "--to",
      join(folder, "no/out"),
    ]);
    expect(stderr).toMatch(/^cev: .*no\/out: there is no such file or folder\n$/);
    expect(status).toBe(1);
  });

  test("that fails half-way leaves no half file behind", async () => {
    const { images, folder } = golden("gpt");
    const stackPath = join(folder, "stack.yaml");
    const driver = join(folder, "broken.mjs");
    writeFileSync(
      driver,
      driverModule(
        'if (io.offset < 3 << 20) this.lowers[0].submit(io); else io.fail("CEV_MEDIUM", "these sectors are gone", "broken");',
      ),
    );
    writeFileSync(
      stackPath,
      `devices:\n  d0: { driver: "@cev/hw-file", path: ${images[0]!} }\n  bad: { driver: ./broken.mjs, lower: d0 }\n`,
    );
    const out = join(folder, "out.img");
    const { status, stderr } = await cev(["copy", stackPath, "--device", "bad", "--to", out]);
    expect(stderr).toMatch(/^cev: broken: these sectors are gone/);
    expect(status).toBe(1);
    expect(existsSync(out)).toBe(false);
  });

  test("--salvage goes on where it cannot be read, and lists what is zeroes now", async () => {
    const { images, folder } = golden("gpt");
    const submit =
      'if (io.offset < 3 << 20 || io.offset >= (3 << 20) + 8192) this.lowers[0].submit(io); else io.fail("CEV_MEDIUM", "these sectors are gone", "broken");';
    writeFileSync(join(folder, "broken.mjs"), driverModule(submit));
    const stack = `devices:\n  d0: { driver: "@cev/hw-file", path: ${images[0]!} }\n  bad: { driver: ./broken.mjs, lower: d0 }\n`;
    writeFileSync(join(folder, "stack.yaml"), stack);
    const out = join(folder, "out.img");
    const args = ["copy", join(folder, "stack.yaml"), "--device", "bad", "--to", out, "--salvage"];
    const { status, stderr } = await cev(args);
    expect(stderr).toBe("cev: 8192 bytes could not be read and are zeroes: bytes 3145728 to 3153920\n");
    expect(status).toBe(1);
    const expected = readFileSync(images[0]!).fill(0, 3_145_728, 3_153_920);
    expect(readFileSync(out).equals(expected)).toBe(true);
    const told = await cev([...args, "--json"]);
    expect(told.status).toBe(1);
    expect(JSON.parse(told.stdout.toString())).toEqual({
      device: "bad",
      copied: expected.length,
      lost: [{ offset: 3_145_728, length: 8192 }],
      problems: [],
    });
  });

  test("with --json needs standard output for itself", async () => {
    const { images } = golden("gpt");
    const { status, stderr } = await cev([
      "copy",
      images[0]!,
      "--device",
      "disk0.img",
      "--to",
      "-",
      "--json",
    ]);
    expect(stderr).toMatch(
      /^cev: standard output is either what is read or JSON: .*; see cev copy --help\n$/,
    );
    expect(status).toBe(2);
  });

  test("that is interrupted leaves no half file behind", async () => {
    const { images, folder } = golden("gpt");
    // It answers once the signal has arrived, and not before.
    const arrival = 'const arrived = new Promise((resolve) => process.once("SIGINT", resolve));';
    const submit = "void arrived.then(() => this.lowers[0].submit(io));";
    writeFileSync(join(folder, "slow.mjs"), `${arrival}${driverModule(submit)}`);
    const stack = `devices:\n  d0: { driver: "@cev/hw-file", path: ${images[0]!} }\n  slow: { driver: ./slow.mjs, lower: d0 }\n`;
    writeFileSync(join(folder, "stack.yaml"), stack);
    const copying = new Command(["copy", "stack.yaml", "--device", "slow", "--to", "out.img"], {
      cwd: folder,
    });
    const out = join(folder, "out.img");
    while (!existsSync(out)) await new Promise((resolve) => setTimeout(resolve, 20));
    copying.child.kill("SIGINT");
    expect(await copying.ended).toMatchObject({ status: 1, stderr: "cev: ended by SIGINT\n" });
    expect(existsSync(out)).toBe(false);
  });

  test("that fails in its middle says of what was there before that it is not whole any more", async () => {
    const cwd = temporaryFolder();
    const disk = `{ driver: "@cev/hw-file", path: disk.img }`;
    const bad = `{ driver: "@cev/test-kit/fault", lower: d, badRanges: [[6291456, 512]], rules: [{ op: write, range: [6291456, 6291968], fault: error CEV_IO }] }`;
    writeFileSync(join(cwd, "stack.yaml"), `devices:\n  d: ${disk}\n  bad: ${bad}\n`);
    for (const name of ["disk.img", "old", "in"]) writeFileSync(join(cwd, name), Buffer.alloc(8 << 20, name));
    const words = ["copy", "stack.yaml", "--device", "bad"];
    const out = await run([...words, "--to", "old"], { cwd });
    expect(out.stderr).toMatch(
      /^cev: warning: old is not whole: part of it was overwritten before .*\ncev: /,
    );
    const into = await run([...words, "--from", "in"], { cwd });
    expect(into.stderr).toMatch(
      /^cev: warning: bad is not whole: part of it was overwritten before .*\ncev: /,
    );
    expect([out.status, into.status]).toEqual([1, 1]);
    const fresh = await run([...words, "--to", "new"], { cwd });
    expect(fresh.stderr).not.toContain("not whole");
    expect(existsSync(join(cwd, "new"))).toBe(false);
  });

  test("to a reader that goes away fails without a stack trace", () => {
    const { images } = golden("stack");
    const { stderr, stdout } = spawnSync(
      "sh",
      [
        "-c",
        `{ ${shellCommand} copy ${images.join(" ")} --device disk0.img --to - ; echo "status $?" >&2; } | head -c 10`,
      ],
      { encoding: "latin1" },
    );
    expect(stdout).toHaveLength(10);
    expect(stderr).toMatch(
      /^cev: standard output: whoever read the output went away before its end\nstatus 1\n$/m,
    );
    expect(stderr).not.toMatch(/^ +at /m);
  });

  test.skipIf(!hasScript)("shows its progress on a terminal", () => {
    const { images, folder } = golden("stack");
    const out = join(folder, "out.img");
    const command = `${shellCommand} copy ${images.join(" ")} --device md/oracle:stack --to ${out}`;
    const { stdout } = spawnSync(SCRIPT, ["-qec", command, "/dev/null"], { encoding: "utf8" });
    expect(stdout).toMatch(/md\/oracle:stack \[#{24}\] 100% of 45 MiB/);
    expect(statSync(out).size).toBe(47_185_920);
  });

  test("shows no progress elsewhere, unless it is asked for", async () => {
    const { images, folder } = golden("gpt");
    const args = ["copy", ...images, "--device", "vg2/data", "--to", join(folder, "out.img")];
    expect((await cev(args)).stderr).toBe("");
    expect((await cev([...args, "--progress"])).stderr).toMatch(/vg2\/data \[#+\] 100% of 1 MiB/);
  });
});

describe("cev copy --from", () => {
  test("writes through the whole stack, and what is written is there", async () => {
    const { images, keys, folder } = golden("stack");
    const input = join(folder, "in.bin");
    const bytes = Buffer.concat([randomBytes(1 << 20), Buffer.alloc(2 << 20), randomBytes(12_345)]);
    writeFileSync(input, bytes);
    const args = [...images, ...keys, "--device", "vg0/other"];
    expect(await cev(["copy", ...args, "--from", input])).toMatchObject({ status: 0, stderr: "" });
    const { stdout } = await cev(["copy", ...args, "--to", "-"]);
    expect(stdout.subarray(0, bytes.length).equals(bytes)).toBe(true);
  });

  test("- is standard input", async () => {
    const { images } = golden("gpt");
    const bytes = randomBytes(300_001);
    const { status } = await cev(["copy", ...images, "--device", "vg2/data", "--from", "-"], {
      input: bytes,
    });
    expect(status).toBe(0);
    const { stdout } = await cev(["copy", ...images, "--device", "vg2/data", "--to", "-"]);
    expect(stdout.subarray(0, bytes.length).equals(bytes)).toBe(true);
  });

  test("a file that is too long is refused before anything is written", async () => {
    const { images, folder } = golden("gpt");
    const input = join(folder, "in.bin");
    writeFileSync(input, "x");
    truncateSync(input, (1 << 20) + 1);
    const before = hashFiles(images);
    const { status, stderr } = await cev(["copy", ...images, "--device", "vg2/data", "--from", input]);
    expect(stderr).toMatch(/in\.bin: it has 1048577 bytes, more than vg2\/data, which has 1048576/);
    expect(status).toBe(1);
    expect(hashFiles(images)).toBe(before);
  });

  test("standard input that is too long fails at the end of the device", async () => {
    const { images } = golden("gpt");
    const { status, stderr } = await cev(["copy", ...images, "--device", "vg2/data", "--from", "-"], {
      input: Buffer.alloc((1 << 20) + 1, 1),
    });
    expect(stderr).toMatch(
      /^cev: warning: vg2\/data is not whole: .*\ncev: standard input: it has more bytes than vg2\/data/,
    );
    expect(status).toBe(1);
  });

  test("a degraded array is written only when that is said", async () => {
    const set = golden("raid5-4k");
    const images = set.images.slice(0, 2);
    const args = ["copy", ...images, "--device", "md/oracle:small-chunks", "--from", "-"];
    const input = Buffer.alloc(4096, 7);
    const before = hashFiles(images);
    const refused = await cev(args, { input });
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/add --degraded/);
    expect(hashFiles(images)).toBe(before);
    expect(await cev([...args, "--degraded"], { input })).toMatchObject({ status: 0 });
    const { stdout } = await cev(["copy", ...images, "--device", "md/oracle:small-chunks", "--to", "-"]);
    expect(stdout.subarray(0, 4096).equals(input)).toBe(true);
  });

  test("touches nothing that the device does not stand on", async () => {
    const one = golden("gpt");
    const other = golden("raid5-4k");
    const before = hashFiles(other.images);
    const { status } = await cev(
      ["copy", ...one.images, other.images[1]!, other.images[2]!, "--device", "vg2/data", "--from", "-"],
      {
        input: Buffer.alloc(512, 1),
      },
    );
    expect(status).toBe(0);
    expect(hashFiles(other.images)).toBe(before);
    expect(readFileSync(one.images[0]!).includes(Buffer.alloc(512, 1))).toBe(true);
  });
});
