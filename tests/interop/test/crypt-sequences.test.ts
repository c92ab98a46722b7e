import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, closeTree, environmentFrom, openTree } from "@cev/core";
import type { Layer } from "@cev/core";
import {
  luksAddKey,
  luksChangeKey,
  luksDump,
  luksFormat,
  luksHeaderBackup,
  luksHeaderRestore,
  luksKillSlot,
  luksRemoveKey,
  luksTestPassphrase,
} from "@cev/crypt";
import { FileLayer } from "@cev/hw-file";
import { expect, test } from "vitest";
import { Random, chooseSeed } from "../src/random.ts";
import { output } from "../src/run.ts";
import { describeWith } from "../src/tools.ts";

const environment = environmentFrom(globalThis);
const MIB = 2 ** 20;
const STEPS = 14;
const cost = { type: "pbkdf2", hash: "sha256", iterations: 1000 } as const;
const COMMON = ["--disable-locks", "--batch-mode"];
const QUICK = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", ...COMMON];
const OPERATIONS = ["add", "change", "change in place", "remove", "kill", "backup", "restore"] as const;
const key = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A device on which cev and cryptsetup work in turn, and what should be in its keyslots. */
class Sequence {
  readonly random: Random;
  readonly folder: string;
  readonly path: string;
  readonly version: 1 | 2;
  slots = new Map<number, string>();
  #backup: { readonly bytes: Buffer; readonly slots: Map<number, string> } | null = null;
  #made = 0;

  constructor(random: Random, folder: string, version: 1 | 2) {
    this.random = random;
    this.folder = folder;
    this.path = join(folder, `luks${version}.img`);
    this.version = version;
    writeFileSync(this.path, "");
    truncateSync(this.path, 6 * MIB);
  }

  async format(device: Layer): Promise<void> {
    const passphrase = this.#fresh();
    const dataOffset = 4 * MIB;
    if (this.random.below(2) === 0)
      await luksFormat(device, {
        environment,
        version: this.version,
        keys: [key(passphrase)],
        cost,
        dataOffset,
      });
    else {
      const place = ["--type", `luks${this.version}`, "--offset", String(dataOffset / 512)];
      await output("cryptsetup", ["luksFormat", ...QUICK, ...place, this.path, "-"], { input: passphrase });
    }
    this.slots.set(0, passphrase);
  }

  /** One random operation, by one or the other. Its name, for messages. */
  async step(device: Layer): Promise<string> {
    const operation = this.random.pick(OPERATIONS);
    const isOurs = this.random.below(2) === 0;
    const slot = this.#anySlot();
    const passphrase = this.slots.get(slot)!;
    if (operation === "add" || operation === "change" || operation === "change in place") {
      // LUKS1 has eight keyslots, and of LUKS2 fifteen areas fit here; a change takes one more for a while.
      if (this.slots.size >= (this.version === 1 ? 8 : 15)) return "nothing";
      await (operation === "add"
        ? this.#add(device, isOurs, passphrase)
        : this.#change(device, isOurs, slot, operation === "change in place"));
    } else if (operation === "remove" || operation === "kill") {
      if (this.slots.size < 2) return "nothing";
      await this.#remove(device, isOurs, slot, operation === "kill");
    } else if (operation === "backup") await this.#makeBackup(device);
    else await this.#restore(device, isOurs);
    return `${operation} by ${isOurs ? "cev" : "cryptsetup"}`;
  }

  /** Both find the same keyslots, and what should open one does. */
  async check(device: Layer, after: string): Promise<void> {
    const dump = await luksDump(device, { environment });
    const found =
      dump.version === 1
        ? dump.keyslots.filter(({ isEnabled }) => isEnabled).map(({ id }) => id)
        : dump.keyslots.map(({ id }) => id);
    expect(found, after).toEqual([...this.slots.keys()].toSorted((left, right) => left - right));
    const slot = this.#anySlot();
    const passphrase = this.slots.get(slot)!;
    const args = ["open", "--test-passphrase", "--verbose", "--disable-locks", "--key-file", "-", this.path];
    const said = await output("cryptsetup", args, { input: passphrase });
    expect(said, after).toContain(`Key slot ${slot} unlocked`);
    expect(await luksTestPassphrase(device, { environment, keys: [key(passphrase)] }), after).toBe(slot);
  }

  async #add(device: Layer, isOurs: boolean, passphrase: string): Promise<void> {
    const added = this.#fresh();
    const files = ["--key-file", this.#file("old", passphrase), this.path, this.#file("new", added)];
    if (isOurs) await luksAddKey(device, { environment, keys: [key(passphrase)], newKey: key(added), cost });
    else await output("cryptsetup", ["luksAddKey", ...QUICK, ...files]);
    this.slots.set(this.#freeSlot(), added);
  }

  async #change(device: Layer, isOurs: boolean, slot: number, isInPlace: boolean): Promise<void> {
    const passphrase = this.slots.get(slot)!;
    const changed = this.#fresh();
    const files = ["--key-file", this.#file("old", passphrase), this.path, this.#file("new", changed)];
    const number = isInPlace ? ["--key-slot", String(slot)] : [];
    const options = { environment, key: key(passphrase), newKey: key(changed), cost };
    if (isOurs) await luksChangeKey(device, isInPlace ? { ...options, keyslot: slot } : options);
    else await output("cryptsetup", ["luksChangeKey", ...QUICK, ...number, ...files]);
    const moved = this.version === 1 && !isInPlace ? this.#freeSlot() : slot;
    this.slots.delete(slot);
    this.slots.set(moved, changed);
  }

  async #remove(device: Layer, isOurs: boolean, slot: number, isByNumber: boolean): Promise<void> {
    const passphrase = this.slots.get(slot)!;
    const [, other] = [...this.slots].find(([id]) => id !== slot)!;
    if (isOurs && isByNumber) await luksKillSlot(device, { environment, keyslot: slot, keys: [key(other)] });
    else if (isOurs) await luksRemoveKey(device, { environment, key: key(passphrase) });
    else if (isByNumber)
      await output("cryptsetup", [
        ...["luksKillSlot", ...COMMON, "--key-file", this.#file("other", other)],
        ...[this.path, String(slot)],
      ]);
    else await output("cryptsetup", ["luksRemoveKey", ...COMMON, this.path, this.#file("old", passphrase)]);
    this.slots.delete(slot);
  }

  async #makeBackup(device: Layer): Promise<void> {
    const path = join(this.folder, "header.backup");
    rmSync(path, { force: true });
    const file = ["--header-backup-file", path];
    await output("cryptsetup", ["luksHeaderBackup", "--disable-locks", this.path, ...file]);
    const chunks: Uint8Array[] = [];
    for await (const chunk of luksHeaderBackup(device, { environment })) chunks.push(chunk);
    const bytes = readFileSync(path);
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
    this.#backup = { bytes, slots: new Map(this.slots) };
  }

  async #restore(device: Layer, isOurs: boolean): Promise<void> {
    if (this.#backup === null) return;
    const { bytes, slots } = this.#backup;
    const path = this.#file("restored.backup", bytes);
    if (isOurs) {
      await withFile(path, async (file) => {
        await using backup = await Device.open(file, environment);
        await luksHeaderRestore(device, { environment, backup });
      });
      expect(readFileSync(this.path).subarray(0, bytes.length).equals(bytes)).toBe(true);
    } else
      await output("cryptsetup", ["luksHeaderRestore", ...COMMON, this.path, "--header-backup-file", path]);
    this.slots = new Map(slots);
  }

  #fresh(): string {
    return `passphrase ${this.#made++}`;
  }

  #anySlot(): number {
    return this.random.pick([...this.slots.keys()]);
  }

  #freeSlot(): number {
    let slot = 0;
    while (this.slots.has(slot)) slot++;
    return slot;
  }

  #file(name: string, bytes: string | Uint8Array): string {
    const path = join(this.folder, name);
    writeFileSync(path, bytes);
    return path;
  }
}

async function withFile<Result>(path: string, work: (file: Layer) => Promise<Result>): Promise<Result> {
  const file = await FileLayer.at(environment, { path });
  await openTree(file);
  try {
    return await work(file);
  } finally {
    await closeTree(file);
  }
}

describeWith(["cryptsetup"], "cev and cryptsetup change the keys of one device in turn", () => {
  const seed = chooseSeed();
  test.each([1, 2] as const)(`LUKS%i, at random, CEV_SEED=${seed}`, async (version) => {
    const folder = mkdtempSync(join(tmpdir(), "cev-crypt-sequences-"));
    try {
      const sequence = new Sequence(new Random(seed + version), folder, version);
      await withFile(sequence.path, async (device) => {
        await sequence.format(device);
        const done: string[] = [];
        for (let step = 0; step < STEPS; step++) {
          done.push(await sequence.step(device));
          await sequence.check(device, done.join(", "));
        }
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
