import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, closeTree, environmentFrom, openTree } from "@cev/core";
import type { Layer } from "@cev/core";
import { openLuks, openPlain } from "@cev/crypt";
import type { PlainSettingsGiven } from "@cev/crypt";
import { FileLayer } from "@cev/hw-file";
import { expect, test } from "vitest";
import { runOracle } from "../oracle/run-oracle.ts";
import { Random, chooseSeed } from "../src/random.ts";
import { output } from "../src/run.ts";
import { ORACLE_TOOLS, describeWith } from "../src/tools.ts";

const environment = environmentFrom(globalThis);
const REGION = 64 * 1024;
const PASSPHRASE = "correct horse battery staple";
const KIB = 1024;

interface Plain {
  readonly settings: PlainSettingsGiven;
  /** The same for cryptsetup, beside offset and size. */
  readonly words: string;
  readonly isKeyFile?: boolean;
}

const PLAIN: readonly Plain[] = [
  {
    settings: { cipher: "aes-xts-plain64", keySize: 64, hash: "sha256" },
    words: "--cipher aes-xts-plain64 --key-size 512 --hash sha256",
  },
  {
    settings: { cipher: "aes-cbc-essiv:sha256", keySize: 32, hash: "ripemd160", skip: 40 * 512 },
    words: "--cipher aes-cbc-essiv:sha256 --key-size 256 --hash ripemd160 --skip 40",
  },
  {
    settings: { cipher: "aes-xts-plain64", keySize: 32, sectorSize: 4096, skip: 16 * 512 },
    words: "--cipher aes-xts-plain64 --key-size 256 --sector-size 4096 --skip 16",
    isKeyFile: true,
  },
  {
    settings: { cipher: "aes-xts-plain64", keySize: 32, sectorSize: 4096, skip: 16 * 512, largeIvs: true },
    words: "--cipher aes-xts-plain64 --key-size 256 --sector-size 4096 --skip 16 --iv-large-sectors",
    isKeyFile: true,
  },
  {
    settings: { cipher: "aes-xts-plain", keySize: 64, hash: "sha512:40" },
    words: "--cipher aes-xts-plain --key-size 512 --hash sha512:40",
  },
  {
    settings: { cipher: "aes", keySize: 32, hash: "plain" },
    words: "--cipher aes --key-size 256 --hash plain",
  },
];

interface Detached {
  readonly type: "luks1" | "luks2";
  readonly dataOffset: number;
}

const DETACHED: readonly Detached[] = [
  { type: "luks1", dataOffset: 0 },
  { type: "luks2", dataOffset: 0 },
  { type: "luks2", dataOffset: 512 * KIB },
];

async function withDevice<Result>(
  path: string,
  open: (lower: Layer) => Promise<Layer> | Layer,
  work: (device: Device) => Promise<Result>,
): Promise<Result> {
  const file = await FileLayer.at(environment, { path });
  await openTree(file);
  try {
    await using device = await Device.open(await open(file), environment);
    return await work(device);
  } finally {
    await closeTree(file);
  }
}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

describeWith(ORACLE_TOOLS, "cev and the kernel open the same devices", () => {
  const seed = chooseSeed();
  test(`plain dm-crypt and detached headers, both ways, CEV_SEED=${seed}`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "cev-crypt-open-"));
    const random = new Random(seed);
    const path = (name: string): string => join(folder, name);
    const secrets = { passphrase: Buffer.from(PASSPHRASE), key: Buffer.from(random.bytes(96)) };
    writeFileSync(path("key"), secrets.key);
    writeFileSync(path("passphrase"), PASSPHRASE);
    try {
      // Two images in regions: one the kernel writes, one cev does; then each reads the other's.
      for (const name of ["kernel.img", "cev.img"])
        writeFileSync(path(name), new Uint8Array(PLAIN.length * REGION));
      const regions = PLAIN.map((plain, index) => {
        const offset = index * REGION;
        const { key, passphrase } = secrets;
        const settings = { ...plain.settings, ...(plain.isKeyFile === true ? { key } : { passphrase }) };
        const open = (lower: Layer): Layer =>
          openPlain(lower, { environment, ...settings, offset, size: REGION });
        const source = plain.isKeyFile === true ? "--key-file key" : "";
        const words = `--type plain ${plain.words} --offset ${offset / 512} --size ${REGION / 512} ${source}`;
        return { words, open, fromKernel: random.bytes(REGION), fromCev: random.bytes(REGION) };
      });
      for (const [index, { open, fromKernel, fromCev }] of regions.entries()) {
        writeFileSync(path(`plain-${index}`), fromKernel);
        await withDevice(path("cev.img"), open, (device) => device.write(0, fromCev));
      }
      const volumes = [];
      for (const [index, { type, dataOffset }] of DETACHED.entries()) {
        const [data, header] = [path(`data-${index}`), path(`header-${index}`)];
        writeFileSync(data, new Uint8Array(dataOffset + 2 * REGION));
        const cheap = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", "--disable-locks"];
        const place = dataOffset === 0 ? [] : ["--offset", String(dataOffset / 512)];
        await output("cryptsetup", [
          ...["luksFormat", "-q", "--type", type, "--header", header, ...cheap, ...place],
          ...[data, path("passphrase")],
        ]);
        const open = async (lower: Layer): Promise<Layer> => {
          const file = await FileLayer.at(environment, { path: header, readOnly: true });
          await openTree(file);
          const keys = [secrets.passphrase];
          const { layer } = await openLuks(lower, { environment, header: file, keys });
          await closeTree(file);
          return layer;
        };
        const [fromKernel, fromCev] = [random.bytes(REGION), random.bytes(REGION)];
        writeFileSync(path(`detached-${index}`), fromKernel);
        await withDevice(data, open, (device) => device.write(0, fromCev));
        volumes.push({ data, header, open, fromKernel, fromCev });
      }

      const script = [
        'hash() { head -c 65536 "$1" | sha256sum | cut -d" " -f1; }',
        ...regions.flatMap(({ words }, index) => [
          `cryptsetup open ${words} "$1" a <passphrase`,
          `dd if=plain-${index} of=/dev/mapper/a bs=64k conv=fsync status=none; cryptsetup close a`,
          `cryptsetup open ${words} "$2" b <passphrase; hash /dev/mapper/b; cryptsetup close b`,
        ]),
        ...volumes.flatMap(({ header }, index) => [
          `cryptsetup open --key-file passphrase --header ${header} "$${index + 3}" c; hash /dev/mapper/c`,
          `dd if=detached-${index} of=/dev/mapper/c bs=64k seek=1 conv=fsync status=none; cryptsetup close c`,
        ]),
      ];
      const disks = [path("kernel.img"), path("cev.img"), ...volumes.map(({ data }) => data)];
      const result = await runOracle({ script: script.join("\n"), disks, work: folder });
      expect(result, result.stderr).toMatchObject({ status: 0 });
      expect(result.stdout.trim().split("\n"), "the kernel reads what cev wrote").toEqual(
        [...regions, ...volumes].map(({ fromCev }) => hashOf(fromCev)),
      );

      for (const [index, { open, words, fromKernel }] of regions.entries()) {
        const found = await withDevice(path("kernel.img"), open, (device) => device.read(0, REGION));
        expect(hashOf(found), `plain ${index}: ${words}`).toBe(hashOf(fromKernel));
      }
      for (const [index, { data, open, fromKernel }] of volumes.entries()) {
        const found = await withDevice(data, open, (device) => device.read(REGION, REGION));
        expect(hashOf(found), `detached header ${index}`).toBe(hashOf(fromKernel));
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
