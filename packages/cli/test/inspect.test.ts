import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { cev, golden, hashFiles, shellCommand, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

interface Inspection {
  readonly devices: readonly Record<string, unknown>[];
  readonly problems: readonly Record<string, unknown>[];
}

const parse = (stdout: Buffer): Inspection => JSON.parse(stdout.toString()) as Inspection;
const lines = (text: string): string[] => text.trimEnd().split("\n");

describe("cev inspect", () => {
  test("draws what is in the images as a tree, and writes not one byte", async () => {
    const { images, keys } = golden("stack");
    const before = hashFiles(images);
    const { status, stdout, stderr } = await cev(["inspect", ...images, ...keys]);
    expect(stderr).toBe("");
    const drawn = lines(stdout.toString()).map((line) => line.split(/\s{2,}/)[0]);
    expect(drawn.slice(0, drawn.indexOf("") + 3)).toEqual([
      "NAME",
      "disk0.img",
      "disk1.img",
      "disk2.img",
      "disk3.img",
      "└─ md/oracle:stack",
      "",
      "",
      "",
    ]);
    expect(stdout.toString()).toMatch(
      /\n\nmd\/oracle:stack: raid5 left-symmetric, chunks of 64K, superblock 1\.2, clean, events 20, bitmap 0 of 1 bits set\n {2}0 active sync {2}disk0\.img\n {2}1 active sync {2}disk1\.img\n {2}2 active sync {2}disk2\.img\n {2}3 active sync {2}disk3\.img\n$/,
    );
    expect(stdout.toString()).toMatch(/^ {3}└─ luks\/\S+ +41 MiB +crypt/m);
    expect(stdout.toString()).toMatch(/^ {6}├─ vg0\/root +16 MiB +lvm/m);
    expect(stdout.toString()).toMatch(/^ {6}└─ vg0\/other +8 MiB +lvm/m);
    expect(status).toBe(0);
    expect(hashFiles(images)).toBe(before);
  });

  test("--json names, sizes and lowers", async () => {
    const { images, keys } = golden("stack");
    const { status, stdout } = await cev(["inspect", "--json", ...images, ...keys]);
    const { devices, problems } = parse(stdout);
    expect(problems).toEqual([]);
    expect(devices).toContainEqual(
      expect.objectContaining({
        name: "md/oracle:stack",
        driver: "@cev/raid",
        size: 47_185_920,
        blockSize: 512,
        lowers: ["disk0.img", "disk1.img", "disk2.img", "disk3.img"],
        state: "clean",
      }),
    );
    expect(devices.map((one) => one["name"])).toContain("vg0/root");
    for (const device of devices) expect(device).toHaveProperty("details");
    expect(status).toBe(0);
  });

  test("a lock without a key is listed as locked, and that is no failure", async () => {
    const { images } = golden("luks-pbkdf2");
    const { status, stdout, stderr } = await cev(["inspect", ...images]);
    expect(stdout.toString()).toMatch(/└─ luks\/\S+ +\? +crypt +locked/);
    expect(lines(stderr)).toEqual([expect.stringMatching(/^cev: warning: disk0\.img: .*passphrase/)]);
    expect(status).toBe(0);
  });

  test("a broken header does not hide the other images; the exit status tells", async () => {
    const { images, folder } = golden("gpt");
    const locked = golden("luks-pbkdf2");
    const broken = join(folder, "broken.img");
    const bytes = readFileSync(locked.images[0]!);
    bytes[4200]! ^= 1;
    bytes[16_384 + 4200]! ^= 1;
    writeFileSync(broken, bytes);
    const { status, stdout, stderr } = await cev(["inspect", broken, ...images]);
    expect(stdout.toString()).toMatch(/vg2\/data/);
    expect(stderr).toMatch(/^cev: broken\.img, LUKS2 header/m);
    expect(status).toBe(1);
  });

  test("two disks with one UUID are told apart, and that is a failure", async () => {
    const { images, folder } = golden("luks-pbkdf2");
    const twin = join(folder, "twin.img");
    copyFileSync(images[0]!, twin);
    const { status, stdout } = await cev(["inspect", "--json", ...images, twin]);
    const { devices, problems } = parse(stdout);
    expect(devices.map((one) => one["name"])).toEqual([
      "disk0.img",
      "twin.img",
      expect.stringMatching(/^luks\/.*@disk0\.img$/),
      expect.stringMatching(/^luks\/.*@twin\.img$/),
    ]);
    expect(problems.map((one) => one["code"])).toContain("CEV_AMBIGUOUS");
    expect(status).toBe(1);
  });

  test("errors are JSON too, where JSON was asked for", async () => {
    const { status, stdout } = await cev(["inspect", "--json", "/nonexistent/disk.img"]);
    expect(parse(stdout)).toEqual({
      devices: [],
      problems: [
        {
          severity: "error",
          code: "CEV_NOT_FOUND",
          message: expect.stringMatching(/nonexistent/) as unknown,
        },
      ],
    });
    expect(status).toBe(1);
  });

  test("a stack file shows its devices and exports", async () => {
    const { folder, images } = golden("stack");
    writeFileSync(join(folder, "stack.yaml"), stackFile(images.length));
    const { status, stdout } = await cev(["inspect", "stack.yaml"], { cwd: folder });
    expect(stdout.toString()).toMatch(/└─ r5 /);
    expect(stdout.toString()).toMatch(/├─ data\/root /);
    expect(stdout.toString()).toMatch(/^export root: data\/root$/m);
    expect(status).toBe(0);
  });

  test("an error in a stack file is one line with its place", async () => {
    const folder = temporaryFolder();
    writeFileSync(
      join(folder, "stack.yaml"),
      "devices:\n  r5: { driver: '@cev/raid', members: [d0, d9] }\n  d0: { driver: '@cev/hw-file', path: x }\n",
    );
    const { status, stderr } = await cev(["inspect", "stack.yaml"], { cwd: folder });
    expect(stderr).toBe("cev: stack.yaml: devices.r5.members[1]: there is no device d9; there are r5, d0\n");
    expect(status).toBe(1);
  });

  test("names cannot move the cursor, nor look like lines of their own", async () => {
    const cwd = temporaryFolder();
    writeFileSync(join(cwd, "disk.img"), new Uint8Array(4096));
    const devices = { "a\u001b[31m\nb": { driver: "@cev/hw-file", path: "disk.img" } };
    const exports = { "c\u0007": "a\u001b[31m\nb" };
    writeFileSync(join(cwd, "stack.json"), JSON.stringify({ devices, exports }));
    const { stdout } = await run(["inspect", "stack.json"], { cwd });
    expect(lines(stdout.toString()).slice(1)).toEqual([
      expect.stringMatching(/^a\?\[31m\?b /),
      "export c?: a?[31m?b",
    ]);
  });

  test("a reader that goes away early is no failure of ours", () => {
    const { images } = golden("stack");
    const { stderr, status } = spawnSync(
      "sh",
      ["-c", `${shellCommand} inspect ${images.join(" ")} | head -1`],
      {
        encoding: "utf8",
      },
    );
    expect(stderr).not.toMatch(/EPIPE| at /);
    expect(status).toBe(0);
  });
});

function stackFile(memberCount: number): string {
  const members = Array.from({ length: memberCount }, (_, index) => `d${index}`);
  return [
    "devices:",
    ...members.map((name, index) => `  ${name}: { driver: "@cev/hw-file", path: disk${index}.img }`),
    `  r5: { driver: "@cev/raid", members: [${members.join(", ")}] }`,
    '  plain: { driver: "@cev/crypt", lower: r5, passphrase: { file: ./passphrase } }',
    '  data: { driver: "@cev/lvm", lowers: [plain] }',
    "exports:",
    "  root: data/root",
  ].join("\n");
}

describe("a wrong call", () => {
  test.each([
    [["inspect"], /missing required argument 'source'/],
    [["inspect", "a.img", "--nonsense"], /unknown option '--nonsense'/],
    [["inspekt"], /unknown command 'inspekt'.*inspect/],
    [["inspekt", "--help"], /unknown command 'inspekt': there are inspect, copy,/],
    [["raid", "exam", "-h"], /unknown command 'exam': there are examine, .*see cev raid --help/],
    [["help", "inspekt"], /unknown command 'inspekt': there are inspect, copy,/],
    [["inspect", "a.yaml", "b.img"], /one stack file/],
    [["copy", "a.img"], /required option '--device <name>'/],
    [["copy", "a.img", "--device", "a.img"], /either --to.*or --from/],
    [["copy", "a.img", "--device", "a.img", "--to", "-", "--from", "-"], /either --to.*or --from/],
    [["serve", "a.img"], /give --socket PATH, --listen HOST:PORT or --stdio/],
    [["serve", "a.img", "--listen", "localhost"], /--listen takes HOST:PORT/],
  ])("%j ends with status 2 and one line", async (args, words) => {
    const { status, stdout, stderr } = await cev(args);
    expect(stderr).toMatch(words);
    expect(stderr).toMatch(/^cev: .*; see cev .*--help\n$/);
    expect(stdout.toString()).toBe("");
    expect(status).toBe(2);
  });
});

test("a call with nothing at all gets the help, and status 2", async () => {
  const { status, stderr } = await cev([]);
  expect(stderr).toMatch(/^Usage: cev/);
  expect(status).toBe(2);
});

test("a Node that is too old is told so in one line", () => {
  const pretend =
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '20.20.2' } })";
  const bin = join(import.meta.dirname, "../src/bin.ts");
  const { status, stderr } = spawnSync(
    process.execPath,
    [
      `--import=data:text/javascript,${encodeURIComponent(pretend)}`,
      "--disable-warning=ExperimentalWarning",
      bin,
    ],
    { encoding: "utf8" },
  );
  expect(stderr).toMatch(/^cev: this is Node\.js 20\.20\.2, and cev needs 22 or newer.*\n$/);
  expect(status).toBe(1);
});

describe("help", () => {
  test.each([
    [["--help"], /devices:\n.*@cev\/hw-file/s],
    [["help"], /Exit status/],
    [["inspect", "--help"], /\$ cev inspect/],
    [["copy", "--help"], /\$ cev copy/],
    [["serve", "--help"], /\$ nbdinfo/],
    [["schema", "--help"], /\$ cev schema/],
  ])("%j teaches by example", async (args, words) => {
    const { status, stdout } = await cev(args);
    expect(stdout.toString()).toMatch(words);
    expect(status).toBe(0);
  });

  test("the schema of stack files knows the options of every driver", async () => {
    const { status, stdout } = await cev(["schema"]);
    const { $defs } = JSON.parse(stdout.toString()) as {
      $defs: { device: { allOf: { then: { properties: object } }[] } };
    };
    const options = $defs.device.allOf.flatMap(({ then }) => Object.keys(then.properties));
    expect(options).toEqual(expect.arrayContaining(["path", "members", "passphrase", "readOnly"]));
    expect(status).toBe(0);
  });

  test("--version is the package's", async () => {
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as {
      version: string;
    };
    expect((await cev(["--version"])).stdout.toString()).toBe(`${version}\n`);
  });
});
