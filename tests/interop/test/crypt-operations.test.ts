import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, closeTree, environmentFrom, openTree } from "@cev/core";
import type { Layer } from "@cev/core";
import {
  luksAddKey,
  luksChangeKey,
  luksDump,
  luksErase,
  luksFormat,
  luksHeaderBackup,
  luksHeaderLength,
  luksHeaderRestore,
  luksKillSlot,
  luksRemoveKey,
  luksTestPassphrase,
  luksVolumeKey,
} from "@cev/crypt";
import type { LuksDump } from "@cev/crypt";
import { FileLayer } from "@cev/hw-file";
import { afterAll, beforeAll, expect, test } from "vitest";
import { output, run } from "../src/run.ts";
import { describeWith } from "../src/tools.ts";

const environment = environmentFrom(globalThis);
const MIB = 2 ** 20;
const SIZE = 18 * MIB;
const cost = { type: "pbkdf2", hash: "sha256", iterations: 1000 } as const;
const COMMON = ["--disable-locks", "--batch-mode"];
const QUICK = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", ...COMMON];
const key = (text: string): Uint8Array => new TextEncoder().encode(text);

describeWith(
  ["cryptsetup"],
  "what cev does to a LUKS device, cryptsetup agrees with, and the other way round",
  () => {
    let folder = "";
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), "cev-crypt-operations-"));
    });
    afterAll(() => {
      rmSync(folder, { recursive: true, force: true });
    });

    const blank = (name: string, size = SIZE): string => {
      const path = join(folder, name);
      writeFileSync(path, "");
      truncateSync(path, size);
      return path;
    };

    /** A file with something to be given to cryptsetup. */
    const written = (name: string, bytes: string | Uint8Array): string => {
      const path = join(folder, name);
      writeFileSync(path, bytes);
      return path;
    };

    /** The keyslot that a passphrase opens, by cryptsetup; null: none. */
    const opens = async (
      path: string,
      text: string,
      more: readonly string[] = [],
    ): Promise<number | null> => {
      const args = [
        "open",
        "--test-passphrase",
        "--verbose",
        "--disable-locks",
        "--key-file",
        "-",
        ...more,
        path,
      ];
      const { status, stdout } = await run("cryptsetup", args, { input: text });
      const slot = /Key slot (\d+) unlocked/.exec(stdout);
      return status === 0 && slot !== null ? Number(slot[1]) : null;
    };

    const work = async <Result>(path: string, action: (layer: Layer) => Promise<Result>): Promise<Result> => {
      const file = await FileLayer.at(environment, { path });
      await openTree(file);
      try {
        return await action(file);
      } finally {
        await closeTree(file);
      }
    };

    const dumpText = (path: string): Promise<string> =>
      output("cryptsetup", ["luksDump", "--disable-locks", path]);

    test.each([1, 2] as const)("LUKS%i: formatted, and each key operation", async (version) => {
      const path = blank(`made${version}.img`);
      await work(path, async (device) => {
        const uuid = await luksFormat(device, { environment, version, keys: [key("one")], cost, keyslot: 2 });
        expect(await dumpText(path)).toContain(uuid);
        expect(await opens(path, "one")).toBe(2);
        const add = { environment, keys: [key("one")], cost };
        expect(await luksAddKey(device, { ...add, newKey: key("two") })).toBe(0);
        expect(await luksAddKey(device, { ...add, newKey: key("\0three\n"), newKeyslot: 5 })).toBe(5);
        expect([await opens(path, "two"), await opens(path, "\0three\n")]).toEqual([0, 5]);
        const { volumeKey } = await luksVolumeKey(device, { environment, keys: [key("two")] });
        expect(await luksAddKey(device, { environment, volumeKey, newKey: key("four"), cost })).toBe(1);
        const changed = await luksChangeKey(device, {
          environment,
          key: key("two"),
          newKey: key("zwei"),
          cost,
        });
        expect([await opens(path, "two"), await opens(path, "zwei")]).toEqual([null, changed]);
        await luksChangeKey(device, {
          environment,
          key: key("\0three\n"),
          newKey: key("drei"),
          keyslot: 5,
          cost,
        });
        expect(await opens(path, "drei")).toBe(5);
        expect(await luksRemoveKey(device, { environment, key: key("one") })).toBe(2);
        await luksKillSlot(device, { environment, keyslot: 1, keys: [key("drei")] });
        expect([await opens(path, "one"), await opens(path, "four")]).toEqual([null, null]);
        const own = written(`volume-key${version}`, volumeKey);
        await output(
          "cryptsetup",
          [
            "luksDump",
            ...COMMON,
            "--dump-volume-key",
            "--volume-key-file",
            `${own}.cs`,
            "--key-file",
            "-",
            path,
          ],
          { input: "drei" },
        );
        expect(readFileSync(`${own}.cs`).equals(volumeKey)).toBe(true);
        expect(await luksErase(device, { environment })).toHaveLength(2);
        expect(await opens(path, "drei")).toBeNull();
        // The volume key makes it open again.
        await luksAddKey(device, { environment, volumeKey, newKey: key("again"), cost });
        expect(await opens(path, "again")).toBe(0);
      });
    });

    test.each([1, 2] as const)(
      "LUKS%i: what cryptsetup made and changed, cev goes on with",
      async (version) => {
        const path = blank(`continued${version}.img`);
        const type = ["--type", `luks${version}`];
        await output("cryptsetup", ["luksFormat", ...QUICK, ...type, path, "-"], { input: "one" });
        await work(path, async (device) => {
          const tested = (text: string): Promise<number> =>
            luksTestPassphrase(device, { environment, keys: [key(text)] });
          expect(
            await luksAddKey(device, { environment, keys: [key("one")], newKey: key("two"), cost }),
          ).toBe(1);
          await output("cryptsetup", [
            "luksAddKey",
            ...QUICK,
            "--key-file",
            written("two", "two"),
            path,
            written("three", "three"),
          ]);
          expect(await tested("three")).toBe(2);
          await output("cryptsetup", [
            "luksChangeKey",
            ...QUICK,
            "--key-slot",
            "1",
            "--key-file",
            written("two", "two"),
            path,
            written("zwei", "zwei"),
          ]);
          expect(await tested("zwei")).toBe(1);
          await expect(tested("two")).rejects.toMatchObject({ code: "CEV_WRONG_KEY" });
          await output("cryptsetup", [
            "luksKillSlot",
            ...COMMON,
            "--key-file",
            written("three", "three"),
            path,
            "0",
          ]);
          await expect(tested("one")).rejects.toMatchObject({ code: "CEV_WRONG_KEY" });
          expect(await luksRemoveKey(device, { environment, key: key("three") })).toBe(2);
          expect([await opens(path, "zwei"), await opens(path, "three")]).toEqual([1, null]);
        });
      },
    );

    test("formatting overwrites as much as cryptsetup does, and leaves as much", async () => {
      const [ours, theirs] = [join(folder, "wiped.img"), join(folder, "wiped-too.img")];
      const cases = [
        { options: { version: 2 }, args: ["--type", "luks2"] },
        {
          options: { version: 2, keyslotsSize: MIB },
          args: ["--type", "luks2", "--luks2-keyslots-size", `${MIB}`],
        },
        { options: { version: 1, dataOffset: 8 * MIB }, args: ["--type", "luks1", "--offset", "16384"] },
      ] as const;
      for (const { options, args } of cases) {
        for (const path of [ours, theirs]) writeFileSync(path, Buffer.alloc(SIZE, 0x5a));
        await work(ours, (device) => luksFormat(device, { environment, keys: [key("k")], cost, ...options }));
        await output("cryptsetup", ["luksFormat", ...QUICK, ...args, theirs, "-"], { input: "k" });
        const [left, right] = [ours, theirs].map((path) => pagesOf(readFileSync(path)));
        expect(left).toBe(right);
      }
    });

    test("long passphrases, with any bytes, and a key file of 8 MiB mean the same to both", async () => {
      const path = blank("long.img");
      const keys = [
        Buffer.from("\0\n\r\xff", "latin1"),
        Buffer.from(`${"long ".repeat(130)}\0 and longer`),
        Buffer.alloc(8 * MIB, "key file "),
      ];
      await work(path, async (device) => {
        await luksFormat(device, { environment, keys, cost });
        for (const [slot, bytes] of keys.entries()) {
          const file = ["--key-file", written("long.key", bytes), path];
          const args = ["open", "--test-passphrase", "--verbose", "--disable-locks", ...file];
          expect(await output("cryptsetup", args)).toContain(`Key slot ${slot} unlocked`);
        }
      });
    });

    test("an unbound key, keyslots of another cipher, argon2, a label and large metadata", async () => {
      const path = blank("rich.img");
      await work(path, async (device) => {
        await luksFormat(device, {
          environment,
          keys: [key("one")],
          encryption: "aes-cbc-essiv:sha256",
          hash: "sha512",
          sectorSize: 2048,
          label: "größe",
          subsystem: "tests",
          uuid: "0d3c2c8a-6f2b-4c39-8f2e-33e1e2a1f0aa",
          metadataSize: 65_536,
          keyslotsSize: MIB,
          alignment: 65_536,
          keyslotEncryption: "aes-xts-plain64",
          keyslotKeySize: 64,
          cost: { type: "argon2id", passes: 4, memoryKibibytes: 32, lanes: 1 },
        });
        const unbound = { key: new Uint8Array(24).fill(7) };
        const options = { environment, newKey: key("free"), unbound, newKeyslot: 9, cost };
        expect(await luksAddKey(device, options)).toBe(9);
        expect(await opens(path, "free", ["--unbound", "--key-slot", "9"])).toBe(9);
        expect(await opens(path, "one")).toBe(0);
        const dump = await luksDump(device, { environment });
        expectSameFacts(dump, await dumpText(path));
        expect(dump).toMatchObject({ label: "größe", headerSize: 65_536, keyslotsSize: MIB });
      });
    });

    test("without a choice the header is as cryptsetup's, but for its randomness", async () => {
      const [ours, theirs] = [blank("ours.img"), blank("theirs.img")];
      for (const version of [1, 2] as const) {
        await work(ours, (device) => luksFormat(device, { environment, version, keys: [key("k")], cost }));
        await output("cryptsetup", ["luksFormat", ...QUICK, "--type", `luks${version}`, theirs, "-"], {
          input: "k",
        });
        const [left, right] = [await dumpText(ours), await dumpText(theirs)].map(withoutRandomness);
        expect(left).toBe(right);
      }
    });

    test.each([1, 2] as const)(
      "LUKS%i: a backup is cryptsetup's, byte for byte, and each restores the other's",
      async (version) => {
        const path = blank(`backed${version}.img`);
        const type = ["--type", `luks${version}`];
        await output("cryptsetup", ["luksFormat", ...QUICK, ...type, path, "-"], { input: "old" });
        const theirs = join(folder, `theirs${version}.backup`);
        await output("cryptsetup", [
          "luksHeaderBackup",
          "--disable-locks",
          path,
          "--header-backup-file",
          theirs,
        ]);
        await work(path, async (device) => {
          const chunks: Uint8Array[] = [];
          for await (const chunk of luksHeaderBackup(device, { environment })) chunks.push(chunk);
          const ours = Buffer.concat(chunks);
          expect(ours.equals(readFileSync(theirs))).toBe(true);
          await luksChangeKey(device, { environment, key: key("old"), newKey: key("new"), keyslot: 0, cost });
          expect([await opens(path, "old"), await opens(path, "new")]).toEqual([null, 0]);
          await work(theirs, async (file) => {
            await using backup = await Device.open(file, environment);
            await luksHeaderRestore(device, { environment, backup });
          });
          expect([await opens(path, "old"), await opens(path, "new")]).toEqual([0, null]);
          expect(readFileSync(path).subarray(0, ours.length).equals(ours)).toBe(true);
          await luksErase(device, { environment });
          const again = written(`ours${version}.backup`, ours);
          await output("cryptsetup", ["luksHeaderRestore", ...COMMON, path, "--header-backup-file", again]);
          expect(await luksTestPassphrase(device, { environment, keys: [key("old")] })).toBe(0);
        });
      },
    );

    test.each([1, 2] as const)("LUKS%i: a detached header", async (version) => {
      const shape = { version, keySize: 64 } as const;
      const header = blank(`header${version}.img`, luksHeaderLength(shape));
      const data = blank(`data${version}.img`, MIB);
      await work(header, (lower) =>
        work(data, (device) =>
          luksFormat(lower, { ...shape, environment, keys: [key("k")], cost, data: device }),
        ),
      );
      expect(readFileSync(data).every((byte) => byte === 0)).toBe(true);
      expect(await opens(data, "k", ["--header", header])).toBe(0);
      await work(header, (lower) =>
        luksAddKey(lower, { environment, keys: [key("k")], newKey: key("l"), cost }),
      );
      expect(await opens(data, "l", ["--header", header])).toBe(1);
    });
  },
);

/** Of each 4 KiB whether they are zeroes, as they were, or something else. */
function pagesOf(bytes: Buffer): string {
  const [zeroes, former] = [Buffer.alloc(4096), Buffer.alloc(4096, 0x5a)];
  let pages = "";
  for (let at = 0; at < bytes.length; at += 4096) {
    const page = bytes.subarray(at, at + 4096);
    pages += page.equals(zeroes) ? "0" : page.equals(former) ? "-" : "x";
  }
  return pages;
}

/** The text of a dump without what is drawn by lot. */
function withoutRandomness(text: string): string {
  return (
    text
      .replaceAll(/^(LUKS header information for).*$/gm, "$1")
      .replaceAll(/^UUID:.*$/gm, "UUID")
      .replaceAll(/(?:\b[0-9a-f]{2} ){4,}/g, "")
      // It counts updates: cryptsetup formats and then adds the key.
      .replaceAll(/^Epoch:.*$/gm, "Epoch")
  );
}

/** Every number and name in the facts stands in what cryptsetup prints. */
function expectSameFacts(dump: LuksDump, text: string): void {
  if (dump.version !== 2) throw new Error("facts of LUKS2 were expected");
  const plain = text.replaceAll(/\s+/g, " ");
  const spaced = (hex: string): string => hex.replaceAll(/../g, "$& ").trim();
  const said = [
    `Epoch: ${dump.sequenceId}`,
    `Metadata area: ${dump.headerSize} [bytes]`,
    `Keyslots area: ${dump.keyslotsSize} [bytes]`,
    `UUID: ${dump.uuid}`,
    `Label: ${dump.label}`,
    `Subsystem: ${dump.subsystem}`,
    ...dump.segments.flatMap(({ id, offset, encryption, sectorSize }) => [
      `${id}: crypt offset: ${offset} [bytes] length: (whole device) cipher: ${encryption} sector: ${sectorSize} [bytes]`,
    ]),
    ...dump.keyslots.flatMap(({ id, isUnbound, keySize, priority, area, kdf, split, digestId }) => [
      `${id}: luks2${isUnbound ? " (unbound)" : ""} Key: ${keySize * 8} bits Priority: ${priority}`,
      `Cipher: ${area.encryption} Cipher key: ${area.keySize! * 8} bits PBKDF: ${kdf!.type}`,
      `Salt: ${spaced(kdf!.salt)} AF stripes: ${split!.stripes} AF hash: ${split!.hash}`,
      `Area offset:${area.offset} [bytes] Area length:${area.size} [bytes] Digest ID: ${digestId}`,
    ]),
    ...dump.digests.map(
      ({ id, hash, iterations, salt, digest }) =>
        `${id}: pbkdf2 Hash: ${hash} Iterations: ${iterations} Salt: ${spaced(salt)} Digest: ${spaced(digest)}`,
    ),
  ];
  for (const line of said) expect(plain).toContain(line);
}
