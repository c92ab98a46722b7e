import { createCipheriv, createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { run as cev } from "./in-process.ts";

const folder = mkdtempSync(join(tmpdir(), "cev-locked-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);

const SECTORS = 64;
const PLAIN = ["--type", "plain", "--cipher", "aes-xts-plain64", "--key-size", "256"];
const plaintext = Buffer.alloc(SECTORS * 512, "a line of text\n");
writeFileSync(path("passphrase"), "secret\n");
writeFileSync(path("key"), Buffer.alloc(32, Buffer.from(Array.from({ length: 32 }, (_, index) => index))));
writeFileSync(path("plain.txt"), plaintext);

/** AES-XTS with plain64 vectors, by OpenSSL: sector by sector. */
function encrypt(key: Buffer, firstSector: number): Buffer {
  return Buffer.concat(
    Array.from({ length: SECTORS }, (_, sector) => {
      const iv = Buffer.alloc(16);
      iv.writeUInt32LE(firstSector + sector);
      const cipher = createCipheriv("aes-128-xts", key, iv);
      return Buffer.concat([
        cipher.update(plaintext.subarray(sector * 512, (sector + 1) * 512)),
        cipher.final(),
      ]);
    }),
  );
}

test("a plain device is read and written with its passphrase hashed, at its offset and with its skip", async () => {
  const key = createHash("sha256").update("secret").digest();
  writeFileSync(path("p.img"), Buffer.concat([Buffer.alloc(4096), encrypt(key, 16)]));
  const words = [
    path("p.img"),
    "--device",
    "p.img/crypt",
    ...PLAIN,
    "--hash",
    "sha256",
    "--offset",
    "8",
    "--skip",
    "16",
  ];
  const keys = ["--passphrase-file", path("passphrase")];
  const out = await cev(["copy", ...words, ...keys, "--to", path("p.out")]);
  expect(out, out.stderr).toMatchObject({ status: 0 });
  expect(readFileSync(path("p.out")).equals(plaintext)).toBe(true);

  const before = readFileSync(path("p.img"));
  writeFileSync(path("zero"), Buffer.alloc(4096));
  expect((await cev(["copy", ...words, ...keys, "--from", path("zero")])).status).toBe(0);
  expect(readFileSync(path("p.img")).equals(before)).toBe(false);
  expect((await cev(["copy", ...words, ...keys, "--from", path("plain.txt")])).status).toBe(0);
  expect(readFileSync(path("p.img")).equals(before)).toBe(true);
});

test("a plain device takes the part of a key file that is named, as it is", async () => {
  const key = readFileSync(path("key"));
  writeFileSync(path("k.img"), encrypt(key, 0));
  writeFileSync(path("padded"), Buffer.concat([Buffer.alloc(7), key, Buffer.alloc(9)]));
  const range = ["--key-file", path("padded"), "--keyfile-offset", "7", "--keyfile-size", "32"];
  const out = await cev([
    "copy",
    path("k.img"),
    "--device",
    "k.img/crypt",
    ...PLAIN,
    ...range,
    "--to",
    path("k.out"),
  ]);
  expect(out, out.stderr).toMatchObject({ status: 0 });
  expect(readFileSync(path("k.out")).equals(plaintext)).toBe(true);
});

test("data whose header lies in another file is read and written, and the header stays as it was", async () => {
  const golden = new URL("../../../tests/interop/golden/luks-pbkdf2/", import.meta.url);
  const { passphrase } = JSON.parse(readFileSync(new URL("manifest.json", golden), "utf8")) as {
    readonly passphrase: string;
  };
  const image = brotliDecompressSync(readFileSync(new URL("disk0.img.br", golden)));
  writeFileSync(path("golden-passphrase"), passphrase);
  writeFileSync(path("h.img"), image.subarray(0, 1_048_576));
  writeFileSync(path("whole.img"), image);
  writeFileSync(path("d.img"), Buffer.concat([Buffer.alloc(1_048_576), image.subarray(1_048_576)]));
  const device = ["--device", "luks/59babd93-29fa-45a8-9320-f0027bdb3e5e"];
  const keys = ["--passphrase-file", path("golden-passphrase")];
  expect((await cev(["copy", path("whole.img"), ...device, ...keys, "--to", path("whole.out")])).status).toBe(
    0,
  );
  const words = ["copy", path("d.img"), "--header", path("h.img"), ...device, ...keys];
  const out = await cev([...words, "--to", path("d.out")]);
  expect(out, out.stderr).toMatchObject({ status: 0 });
  expect(readFileSync(path("d.out")).equals(readFileSync(path("whole.out")))).toBe(true);
  expect((await cev([...words, "--from", path("plain.txt")])).status).toBe(0);
  expect((await cev([...words, "--to", path("d2.out")])).status).toBe(0);
  expect(readFileSync(path("d2.out")).subarray(0, plaintext.length).equals(plaintext)).toBe(true);
  expect(readFileSync(path("h.img")).equals(image.subarray(0, 1_048_576))).toBe(true);
});

test.each([
  [["--type", "plain", "--cipher", "aes-xts-plain64"], "--key-size"],
  [["--cipher", "aes-xts-plain64"], "add --type plain"],
  [["--type", "tcrypt"], "tcrypt"],
  [[...PLAIN, "--header", "h"], "no header"],
  [[...PLAIN, "--offset", "1k"], "--offset 1k"],
  [[...PLAIN, "--key-slot", "1"], "no keyslots"],
  [["--keyfile-size", "5"], "name one with --key-file"],
  [["--key-slot", "32"], "from 0 to 31"],
  [["--encrypted", "p1"], "--encrypted goes with"],
  [["--kdf-memory-max", "0"], "--kdf-memory-max 0"],
  [["--kdf-work-max", "much"], "--kdf-work-max takes"],
  [["--crypt-backend", "gpu"], "openssl, ffi"],
  [["--type", "constructor"], "constructor"],
])("%j is refused as a wrong call, and says why", async (words, expected) => {
  const { status, stderr } = await cev(["inspect", path("k.img"), ...words]);
  expect(status).toBe(2);
  expect(stderr).toContain(expected);
});
