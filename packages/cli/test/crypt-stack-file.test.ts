/** Encrypted devices in a stack file: plain ones, detached headers, keys by file. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { closeTree, environmentFrom, openTree } from "@cev/core";
import type { LayerDescription } from "@cev/core";
import { luksFormat } from "@cev/crypt";
import { FileLayer } from "@cev/hw-file";
import { openStack, readStackFile } from "@cev/stack";
import type { StackDescription } from "@cev/stack";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { standardDrivers } from "../src/standard-drivers.ts";
import { Command, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

const MIB = 1 << 20;
const UUIDS = {
  luks2: "22222222-1111-4111-8111-111111111111",
  luks1: "11111111-1111-4111-8111-111111111111",
  detached: "dddddddd-1111-4111-8111-111111111111",
};
const environment = environmentFrom(globalThis);
const cost = { type: "pbkdf2", hash: "sha256", iterations: 1000 } as const;
const folder = mkdtempSync(join(tmpdir(), "cev-crypt-stack-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** Key files lie in a folder beside the stack file. */
const PASSPHRASE = 'passphrase: { file: "./keys/passphrase" }';
const DEVICES: Readonly<Record<string, string>> = {
  luks2: `lower: luks2.img, ${PASSPHRASE}, allowDiscards: true, version: 2, keyslot: 0`,
  luks1: `lower: luks1.img, keyFile: keys/long, keyFileOffset: 100, keyFileSize: 40, kdfIterationsMax: 5000`,
  detached: `lowers: [data.img, header.img], keyFile: keys/long, keyFileSize: 64, kdfMemoryMax: 65536, kdfWorkMax: 262144`,
  hashed: `lower: plain.img, ${PASSPHRASE}, plain: { cipher: "aes-cbc-essiv:sha256", keySize: 32, hash: ripemd160, size: 1048576 }`,
  keyed: `lower: large.img, keyFile: keys/long, keyFileOffset: 7, backend: openssl, plain: { cipher: serpent-xts-plain64, keySize: 64, offset: 1048576, skip: 8192, sectorSize: 4096, largeIvs: true }`,
};
const IMAGES = ["luks2.img", "luks1.img", "data.img", "header.img", "plain.img", "large.img"];

const stackText = (devices: Readonly<Record<string, string>>): string =>
  [
    "devices:",
    ...IMAGES.map((name) => `  ${name}: { driver: "@cev/hw-file", path: ${name} }`),
    ...Object.entries(devices).map(([name, text]) => `  ${name}: { driver: "@cev/crypt", ${text} }`),
    "exports:",
    ...Object.keys(devices).map((name) => `  ${name}-out: ${name}`),
  ].join("\n");

const contents = new Map(Object.keys(DEVICES).map((name) => [name, randomBytes(50_000)]));
const pathOf = (name: string): string => join(folder, name);
const cev = (...words: string[]): ReturnType<typeof run> => run(words, { cwd: folder });

beforeAll(async () => {
  mkdirSync(pathOf("keys"));
  writeFileSync(pathOf("keys/passphrase"), "open sesame\n");
  const long = randomBytes(500);
  writeFileSync(pathOf("keys/long"), long);
  for (const name of IMAGES) {
    writeFileSync(pathOf(name), "");
    truncateSync(pathOf(name), name === "header.img" ? MIB : 2 * MIB);
  }
  const [luks2, luks1, header, data] = await Promise.all(
    ["luks2.img", "luks1.img", "header.img", "data.img"].map(async (name) => {
      const file = await FileLayer.at(environment, { path: pathOf(name) });
      await openTree(file);
      return file;
    }),
  );
  const keySize = 32;
  const passphrase = Buffer.from("open sesame");
  const common = { environment, cost, keySize };
  const luks2Options = { uuid: UUIDS.luks2, dataOffset: MIB, keys: [passphrase] };
  await luksFormat(luks2!, { ...common, ...luks2Options });
  const luks1Options = { uuid: UUIDS.luks1, dataOffset: MIB + 65_536, keys: [long.subarray(100, 140)] };
  await luksFormat(luks1!, { ...common, ...luks1Options, version: 1, encryption: "aes-cbc-plain64" });
  const detachedOptions = { uuid: UUIDS.detached, keys: [long.subarray(0, 64)], data: data! };
  const argon2 = { type: "argon2id", passes: 4, memoryKibibytes: 32, lanes: 1 } as const;
  await luksFormat(header!, { ...common, ...detachedOptions, cost: argon2 });
  for (const layer of [luks2, luks1, header, data]) await closeTree(layer!);
  writeFileSync(pathOf("stack.yaml"), stackText(DEVICES));
});

describe("a stack file with encrypted devices of every kind", () => {
  test("is looked into, and all of them are open", async () => {
    const { status, stdout, stderr } = await cev("inspect", "stack.yaml");
    expect(stderr).toBe("");
    expect(status).toBe(0);
    for (const name of Object.keys(DEVICES))
      expect(stdout.toString()).toMatch(new RegExp(`${name} .* crypt +active`));
  });

  test("is written and read back, by the names of devices and of exports", async () => {
    for (const [name, bytes] of contents) {
      writeFileSync(pathOf("in"), bytes);
      const written = await cev("copy", "stack.yaml", "--device", name, "--from", "in");
      expect(written, `${name}: ${written.stderr}`).toMatchObject({ status: 0 });
    }
    for (const [name, bytes] of contents) {
      const read = await cev("copy", "stack.yaml", "--device", `${name}-out`, "--to", "out");
      expect(read, `${name}: ${read.stderr}`).toMatchObject({ status: 0 });
      const out = readFileSync(pathOf("out"));
      expect(Buffer.compare(out.subarray(0, bytes.length), bytes)).toBe(0);
    }
    // The plaintext is on none of the disks.
    const disks = IMAGES.map((name) => readFileSync(pathOf(name)));
    for (const bytes of contents.values())
      expect(disks.some((disk) => disk.includes(bytes.subarray(0, 32)))).toBe(false);
  });

  test("is served, exports by their names", async ({ skip }) => {
    if (spawnSync("nbdcopy", ["--version"]).error !== undefined) skip("no nbdcopy here");
    const socket = join(temporaryFolder(), "s");
    const server = new Command(["serve", "stack.yaml", "--socket", socket, "--read-only"], { cwd: folder });
    await server.until(/keyed-out/);
    for (const name of ["detached", "keyed"]) {
      const uri = `nbd+unix:///${name}-out?socket=${socket}`;
      const { stdout, stderr } = spawnSync("nbdcopy", [uri, "-"], { maxBuffer: 8 * MIB, timeout: 240_000 });
      expect(stderr.toString()).toBe("");
      const bytes = contents.get(name)!;
      expect(Buffer.compare(stdout.subarray(0, bytes.length), bytes)).toBe(0);
    }
    server.child.kill("SIGINT");
    expect(await server.ended).toMatchObject({ status: 0 });
  });

  test("each device, as its layer describes itself, opens again to the same content", async () => {
    const options = { environment, drivers: standardDrivers(), directory: folder, isReadOnly: true };
    const { description: whole } = await readStackFile(pathOf("stack.yaml"));
    await using stack = await openStack(whole, options);
    for (const [name, bytes] of contents) {
      const { layer } = stack.find(name);
      const description = stackOf(layer!.describe());
      // As JSON, so that nothing is in it that a file could not hold.
      await using again = await openStack(
        JSON.parse(JSON.stringify(description)) as StackDescription,
        options,
      );
      const device = await again.open("top");
      expect(device.size, name).toBe(layer!.limits.size);
      expect(Buffer.compare(await device.read(0, bytes.length), bytes), name).toBe(0);
      expect(again.find("top").layer!.describe()).toEqual(layer!.describe());
    }
  });
});

/** The layers that a layer says it is made of, as a stack whose uppermost device is "top". */
function stackOf(description: LayerDescription): StackDescription {
  const devices: Record<string, { driver: string }> = {};
  const add = (name: string, { driver, options, lowers }: LayerDescription): string => {
    const below = lowers.map((lower, index) => add(`${name}-${index}`, lower));
    devices[name] = { driver, ...options, ...(below.length === 0 ? {} : { lowers: below }) };
    return name;
  };
  add("top", description);
  return { devices };
}

describe("what is wrong in a stack file is named with its place in the file", () => {
  test.each([
    ["a size of key that is none", "keyed", { keySize: "0" }, "devices.keyed.plain.keySize"],
    ["a setting that there is not", "keyed", { offset: "0, colour: red" }, "devices.keyed.plain.colour"],
    ["an offset within a sector", "keyed", { offset: "100" }, "devices.keyed.plain.offset"],
    ["a passphrase that is no file", "hashed", { file: "3" }, "devices.hashed.passphrase"],
    ["a hash that is none", "hashed", { hash: "'no hash'" }, "devices.hashed.plain.hash"],
    ["a number of keyslot that is none", "luks2", { keyslot: "-1" }, "devices.luks2.keyslot"],
    ["a limit of nothing", "detached", { kdfMemoryMax: "0" }, "devices.detached.kdfMemoryMax"],
    ["a range of a key file that is none", "luks1", { keyFileSize: "0" }, "devices.luks1.keyFileSize"],
    ["a header that is not there", "detached", { lowers: "[data.img, gone]" }, "devices.detached.lowers"],
    [
      "what is below, named in two ways",
      "keyed",
      { lower: "large.img, lowers: [plain.img]" },
      "devices.keyed.lowers",
    ],
    ["a cipher that nobody knows", "keyed", { cipher: "rot13-xts-plain64" }, "devices.keyed"],
    ["a key file that is not there", "luks1", { keyFile: "keys/gone" }, "devices.luks1"],
    ["a key that does not fit", "luks1", { keyFileOffset: "101" }, "devices.luks1"],
    ["a cost past the limit", "detached", { kdfWorkMax: "1000" }, "devices.detached"],
    ["a header that is of another version", "luks2", { version: "1" }, "devices.luks2"],
  ])("%s", async (_name, device, changes, place) => {
    const text = Object.entries(changes).reduce(
      (result, [key, value]) =>
        result.replace(new RegExp(`\\b${key}: ("[^"]*"|\\[[^\\]]*\\]|[^,} ]+)`), `${key}: ${value}`),
      DEVICES[device]!,
    );
    expect(text).not.toBe(DEVICES[device]);
    writeFileSync(pathOf("wrong.yaml"), stackText({ ...DEVICES, [device]: text }));
    const { status, stderr } = await cev("copy", "wrong.yaml", "--device", device, "--to", "out");
    expect(status).toBe(1);
    expect(stderr).toContain("wrong.yaml");
    expect(stderr).toContain(place);
    expect(stderr).not.toContain("open sesame");
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});

test("one file under two names is refused: a header on the device whose data it is would overwrite itself", async () => {
  symlinkSync("data.img", pathOf("symbolic.img"));
  linkSync(pathOf("data.img"), pathOf("hard.img"));
  const before = readFileSync(pathOf("data.img"));
  for (const name of ["symbolic.img", "hard.img", "data.img", "./keys/../data.img"]) {
    const lines = [
      "devices:",
      `  d: { driver: "@cev/hw-file", path: data.img }`,
      `  h: { driver: "@cev/hw-file", path: ${name}, readOnly: true }`,
      `  v: { driver: "@cev/crypt", ${DEVICES["detached"]!.replace("[data.img, header.img]", "[d, h]")} }`,
    ];
    writeFileSync(pathOf("same.yaml"), lines.join("\n"));
    const { status, stderr } = await cev("copy", "same.yaml", "--device", "v", "--from", "in");
    expect(status).toBe(1);
    expect(stderr).toMatch(/^cev: same\.yaml: devices\.h: .*this is the same file as device d\b/);
  }
  expect(readFileSync(pathOf("data.img")).equals(before)).toBe(true);
});
