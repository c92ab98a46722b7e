import { environmentFrom } from "@cev/core";
import type { Environment } from "@cev/core";
import { MemoryLayer, Random } from "@cev/test-kit";
import { headerDevice } from "../src/header/header-device.ts";
import type { Keyslot, Pbkdf2 } from "../src/header/luks-volume.ts";
import { readLuks2Copies } from "../src/luks2/copies.ts";
import type { Luks2Copies } from "../src/luks2/copies.ts";
import { openLuks2Editor } from "../src/luks2/editor.ts";
import { formatLuks2 } from "../src/luks2/format.ts";
import { planLuks2Layout } from "../src/luks2/layout.ts";
import { jsonOf, putJson } from "./luks2-image.ts";

export const environment: Environment = environmentFrom(globalThis);
/** Bytes of one header copy; the areas of keyslots begin behind two, the data at 96 KiB. */
export const COPY = 16_384;
export const AREAS = 32_768;
export const SIZE = 131_072;
const DATA = 98_304;
/** Of `smallVolume`. */
export const UUID = "11111111-2222-4333-8444-555555555555";

/** A derivation that costs little. */
export const kdf: Pbkdf2 = { type: "pbkdf2", hash: "sha256", iterations: 1000, salt: new Uint8Array(32) };

/** A keyslot for a key of one byte: its area is as small as can be. What is in the area takes no part here. */
export function keyslot(id: number, offset: number): Keyslot {
  const area = { offset, size: 4096, encryption: "aes-xts-plain64", keySize: 64 };
  return {
    id,
    keySize: 1,
    priority: "normal",
    kdf: { ...kdf, salt: new Uint8Array(32).fill(id) },
    stripes: 4000,
    splitHash: "sha256",
    area,
  };
}

/** The area's bytes when its keyslot is as it was made. */
export function areaOf({ id, area }: Keyslot): Uint8Array {
  return new Random(id + area.offset).bytes(area.size);
}

/** The keyslots of `smallVolume`. */
export const FIRST: Keyslot = keyslot(0, AREAS);
const SECOND: Keyslot = keyslot(1, AREAS + 4096);
/** A LUKS2 device with two keyslots, whose keys nobody has. */
export async function smallVolume(): Promise<Uint8Array> {
  const lower = new MemoryLayer(environment, { size: SIZE });
  const layout = planLuks2Layout({ deviceSize: SIZE, dataOffset: DATA });
  const segment = {
    offset: DATA,
    size: null,
    ivTweak: 0,
    encryption: "aes-xts-plain64",
    sectorSize: 512,
  };
  const digest = { id: 0, keyslots: [], segments: [], kdf, digest: new Uint8Array(32) };
  const keyslots = [FIRST, SECOND].map((slot) => ({ slot, area: areaOf(slot) }));
  const volume = { uuid: UUID, label: "", subsystem: "", flags: [], keySize: 1, segment, digest, keyslots };
  await formatLuks2(headerDevice(lower, environment), volume, layout);
  return lower.bytes;
}

function sourceOf(image: Uint8Array): {
  name: string;
  size: number;
  read(at: number, length: number): Promise<Uint8Array>;
} {
  const read = (at: number, length: number): Promise<Uint8Array> =>
    Promise.resolve(image.slice(at, at + length));
  return { name: "disk0.img", size: image.length, read };
}

/** What the header copies in an image say. */
export async function copiesOf(image: Uint8Array): Promise<Luks2Copies> {
  const copies = await readLuks2Copies(sourceOf(image));
  if (copies === null) throw new Error("there is no header any more");
  return copies;
}

/** Damages of one header copy; the other one is whole. */
export const STATES: [name: string, other: string, damage: (image: Uint8Array) => void][] = [
  ["both copies whole", "same", () => undefined],
  ["the first damaged", "damaged", (image) => void image.fill(0x5a, 600, 700)],
  ["the second damaged", "damaged", (image) => void image.fill(0x5a, COPY + 600, COPY + 700)],
  ["the first missing", "missing", (image) => void image.fill(0, 0, COPY)],
  ["the second missing", "missing", (image) => void image.fill(0, COPY, 2 * COPY)],
  ["the first out of date", "outdated", (image) => void putJson(image, COPY, jsonOf(image, COPY), 3n)],
  ["the second out of date", "outdated", (image) => void putJson(image, 0, jsonOf(image), 3n)],
];

/** Of the second copy in `volumeOfTwo`. */
export const OTHER_UUID = "99999999-2222-4333-8444-555555555555";

/** The second copy is of another device, with another volume key. */
export async function volumeOfTwo(): Promise<Uint8Array> {
  const image = await smallVolume();
  putJson(image, 0, jsonOf(image).replace(/"digest":"[^"]{8}/, '"digest":"c3RyYW5n'));
  image.set((await renamedVolume()).subarray(COPY, 2 * COPY), COPY);
  return image;
}

/** As a power cut leaves it while it is given another UUID: the second copy has that already. */
export async function renamedVolume(): Promise<Uint8Array> {
  const image = await smallVolume();
  const lower = new MemoryLayer(environment, { size: SIZE, contents: image });
  await (await openLuks2Editor(headerDevice(lower, environment))).rename({ uuid: OTHER_UUID });
  image.set(lower.bytes.subarray(COPY, 2 * COPY), COPY);
  return image;
}
