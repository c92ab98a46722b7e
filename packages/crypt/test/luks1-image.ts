import { createHash } from "node:crypto";
import { environmentFrom, isCevError } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { transformKeyMaterial } from "../src/cipher/key-material.ts";
import { headerDevice, headerSourceOf } from "../src/header/header-device.ts";
import type { Keyslot, LuksVolume } from "../src/header/luks-volume.ts";
import { readLuksVolume } from "../src/header/read-volume.ts";
import { unlockVolume } from "../src/header/unlock.ts";
import { splitKey } from "../src/key/af.ts";
import { KDF_LIMITS, deriveKey } from "../src/key/kdf.ts";
import type { KdfLimits } from "../src/key/kdf.ts";
import { formatLuks1 } from "../src/luks1/format.ts";
import type { HeaderSource } from "../src/luks2/copies.ts";
import { luks1AreaSize } from "../src/luks1/header.ts";
import { planLuks1Layout } from "../src/luks1/layout.ts";

const environment = environmentFrom(globalThis);

/** The key of the volumes made here, and what of them does not matter. */
export interface Luks1Sample {
  readonly encryption: string;
  readonly keySize: number;
  readonly hash: string;
  readonly dataOffset?: number;
}

/** Small areas: 16 bytes times 4000 stripes. */
export const SMALL: Required<Luks1Sample> = {
  encryption: "aes-cbc-plain64",
  keySize: 16,
  hash: "sha1",
  dataOffset: 4096 + 8 * 65_536,
};
export const UUID = "0d3c2c8a-6f2b-4c39-8f2e-33e1e2a1f0aa";

export function volumeKeyOf({ keySize }: Luks1Sample): Uint8Array {
  return Uint8Array.from({ length: keySize }, (_, at) => 3 * at + 1);
}

/** A keyslot whose passphrase is `text`, and its area. */
export async function keyslotFor(
  sample: Luks1Sample,
  id: number,
  offset: number,
  text: string,
): Promise<{ readonly slot: Keyslot; readonly area: Uint8Array }> {
  const { keySize, hash, encryption } = sample;
  const salt = Uint8Array.from(createHash("sha256").update(`salt of ${text}`).digest());
  const area = { offset, size: luks1AreaSize(keySize), encryption, keySize };
  const kdf = { type: "pbkdf2", hash, iterations: 2, salt } as const;
  const slot: Keyslot = { id, keySize, priority: "normal", kdf, stripes: 4000, splitHash: hash, area };
  const bytes = new Uint8Array(area.size);
  bytes.set(
    splitKey(volumeKeyOf(sample), { stripes: 4000, hash }, (random: Uint8Array) =>
      environment.random(random),
    ),
  );
  const key = await deriveKey(Buffer.from(text), kdf, keySize);
  transformKeyMaterial("encrypt", encryption, key, bytes);
  return { slot, area: bytes };
}

const made = new Map<string, Promise<Uint8Array>>();

/** An image of one's own with a keyslot for each passphrase, under the numbers given. */
export async function luks1Image(
  passphrases: Readonly<Record<number, string>>,
  sample: Luks1Sample = SMALL,
): Promise<Uint8Array> {
  const name = JSON.stringify([passphrases, sample]);
  let image = made.get(name);
  if (image === undefined) made.set(name, (image = makeImage(passphrases, sample)));
  return (await image).slice();
}

async function makeImage(
  passphrases: Readonly<Record<number, string>>,
  sample: Luks1Sample,
): Promise<Uint8Array> {
  const size = (sample.dataOffset ?? 2 * 1024 * 1024) + 4096;
  const { keySize, hash, encryption, dataOffset } = sample;
  const layout = planLuks1Layout({
    deviceSize: size,
    keySize,
    ...(dataOffset === undefined ? {} : { dataOffset }),
  });
  const salt = Buffer.alloc(32, 7);
  const kdf = { type: "pbkdf2", hash, iterations: 2, salt } as const;
  const digest = await deriveKey(volumeKeyOf(sample), kdf, 20);
  const keyslots = await Promise.all(
    Object.entries(passphrases).map(([id, text]) =>
      keyslotFor(sample, Number(id), layout.areas[Number(id)]!.offset, text),
    ),
  );
  const lower = new MemoryLayer(environment, { size });
  lower.bytes.fill(0xda, layout.dataOffset);
  await formatLuks1(
    headerDevice(lower, environment),
    {
      uuid: UUID,
      label: "",
      subsystem: "",
      flags: [],
      keySize,
      segment: { offset: layout.dataOffset, size: null, ivTweak: 0, encryption, sectorSize: 512 },
      digest: { id: 0, keyslots: [], segments: [0], kdf, digest },
      keyslots,
    },
    layout,
  );
  return lower.bytes;
}

/** Tells which passphrases open an image. What was found for a keyslot and its area is remembered, for images of crashes are many. */
export class Opener {
  readonly #known = new Map<string, boolean>();
  readonly #limits: KdfLimits;
  /** The keyslot that a passphrase opened last is tried first. */
  readonly #last = new Map<string, number>();

  constructor(limits: KdfLimits = KDF_LIMITS) {
    this.#limits = limits;
  }

  /** The keyslot, or the code of the error. */
  async open(image: Uint8Array, passphrase: string): Promise<number | string> {
    return (await this.openAll(image, [passphrase]))[0]!;
  }

  /** Of each passphrase. */
  async openAll(
    image: Uint8Array,
    passphrases: readonly string[],
    onRead: (length: number) => void = () => {},
  ): Promise<(number | string)[]> {
    const lower = new MemoryLayer(environment, { size: 512, contents: image.subarray(0, 512) });
    const source = {
      ...headerSourceOf(lower, environment, "image"),
      size: image.length,
      read: (offset: number, length: number): Promise<Uint8Array> => {
        onRead(length);
        return Promise.resolve(image.slice(offset, offset + length));
      },
    };
    try {
      const found = await readLuksVolume(source);
      if (found === null) return passphrases.map(() => "none");
      const outcomes: (number | string)[] = [];
      for (const text of passphrases) outcomes.push(await this.#try(found.volume, source, image, text));
      return outcomes;
    } catch (error) {
      if (!isCevError(error)) throw error;
      return passphrases.map(() => error.code);
    }
  }

  async #try(
    volume: LuksVolume,
    source: HeaderSource,
    image: Uint8Array,
    passphrase: string,
  ): Promise<number | string> {
    const last = this.#last.get(passphrase);
    const slots = volume.keyslots.toSorted(
      (left, right) => Number(right.id === last) - Number(left.id === last),
    );
    for (const { id, area } of slots) {
      const bytes = image.subarray(area.offset, area.offset + area.size);
      const name = `${printOf(volume, id, bytes)} ${passphrase}`;
      let opens = this.#known.get(name);
      if (opens === undefined)
        this.#known.set(name, (opens = await this.#unlock(volume, source, passphrase, id)));
      if (!opens) continue;
      this.#last.set(passphrase, id);
      return id;
    }
    return "CEV_WRONG_KEY";
  }

  async #unlock(
    volume: LuksVolume,
    source: HeaderSource,
    passphrase: string,
    keyslot: number,
  ): Promise<boolean> {
    try {
      const keys = [Buffer.from(passphrase)];
      await unlockVolume(volume, source, keys, { limits: this.#limits, keyslot });
      return true;
    } catch (error) {
      if (isCevError(error) && error.code === "CEV_WRONG_KEY") return false;
      throw error;
    }
  }
}

function printOf({ segment, digests, keyslots }: LuksVolume, id: number, area: Uint8Array): string {
  const { kdf, stripes, splitHash, area: place } = keyslots.find((one) => one.id === id)!;
  // The same key in another place is the same key.
  const { kdf: digestKdf, digest } = digests[0]!;
  const said = [segment, digestKdf, digest, kdf, stripes, splitHash, place.encryption, place.keySize];
  const print = createHash("sha1").update(JSON.stringify(said));
  return print.update(area.subarray(0, 64_000)).digest("hex");
}
