import { createHash } from "node:crypto";
import { luksFormat } from "@cev/crypt";
import { environment } from "../exchange/device.ts";
import { GappedLayer } from "../exchange/gapped-layer.ts";

const DATA_LENGTH = 32 * 1024;
const METADATA_SIZE = 16_384;
const BINARY_LENGTH = 4096;
const CHECKSUM = { at: 448, length: 64 };

export const PASSPHRASE: Uint8Array = Buffer.from("of hostile headers");
/** Where the fields of a LUKS1 header lie, and those of a LUKS2 header that are not its checksum. */
const FIELDS = { luks1: 592, luks2: 448 } as const;

export const KINDS = ["luks1", "luks2", "detached"] as const;
export type HeaderKind = (typeof KINDS)[number];

/** A device with a good header. */
export interface GoodDevice {
  readonly kind: HeaderKind;
  readonly data: Uint8Array;
  /** Null: the header stands before the data. */
  readonly header: Uint8Array | null;
  /** Bytes of the header that are worth a bit flip. */
  readonly fieldsLength: number;
}

export async function makeGood(kind: HeaderKind): Promise<GoodDevice> {
  const version: 1 | 2 = kind === "luks1" ? 1 : 2;
  const keyslots = version === 1 ? 8 * 64 * 1024 : 64 * 1024;
  const headerLength = (version === 1 ? 4096 : 2 * METADATA_SIZE) + keyslots;
  const isDetached = kind === "detached";
  const data = new Uint8Array((isDetached ? 0 : headerLength) + DATA_LENGTH);
  const header = isDetached ? new Uint8Array(headerLength) : null;
  const dataLayer = new GappedLayer(data, null);
  const layer = header === null ? dataLayer : new GappedLayer(header, null);
  const options = {
    environment,
    version,
    keys: [PASSPHRASE],
    encryption: "aes-cbc-plain64",
    keySize: 16,
    keyslotEncryption: "aes-cbc-plain64",
    keyslotKeySize: 16,
    dataOffset: isDetached ? 0 : headerLength,
    cost: { type: "pbkdf2", hash: "sha256", iterations: 1000 } as const,
  };
  const { keyslotEncryption, keyslotKeySize, ...luks1 } = options;
  const shape = version === 1 ? luks1 : { ...luks1, keyslotEncryption, keyslotKeySize };
  const sizes = version === 1 ? {} : { metadataSize: METADATA_SIZE, keyslotsSize: keyslots, sectorSize: 512 };
  await dataLayer.open();
  if (layer !== dataLayer) await layer.open();
  await luksFormat(layer, { ...shape, ...sizes, ...(isDetached ? { data: dataLayer } : {}) });
  await layer.close();
  if (layer !== dataLayer) await dataLayer.close();
  return { kind, data, header, fieldsLength: version === 1 ? FIELDS.luks1 : FIELDS.luks2 };
}

/** The image that carries the header. */
export function headerOf({ data, header }: GoodDevice): Uint8Array {
  return header ?? data;
}

/** The JSON text of a LUKS2 header's first copy. */
export function jsonOf(image: Uint8Array): string {
  const area = Buffer.from(image.subarray(BINARY_LENGTH, METADATA_SIZE));
  return area.subarray(0, area.indexOf(0)).toString("utf8");
}

/** Puts bytes in the place of the JSON text of both copies. What is too long is cut. */
export function putJson(image: Uint8Array, json: Uint8Array): void {
  for (const copy of [0, METADATA_SIZE]) {
    const area = image.subarray(copy + BINARY_LENGTH, copy + METADATA_SIZE).fill(0);
    area.set(json.subarray(0, area.length));
  }
}

/** Makes the checksums of both copies of a LUKS2 header right for what they say. */
export function sealCopies(image: Uint8Array): void {
  for (const copy of [0, METADATA_SIZE]) {
    const bytes = image.subarray(copy, copy + METADATA_SIZE);
    const checksum = bytes.subarray(CHECKSUM.at, CHECKSUM.at + CHECKSUM.length).fill(0);
    checksum.set(createHash("sha256").update(bytes).digest());
  }
}

/** Where the second copy of a LUKS2 header begins. */
export const SECOND_COPY = METADATA_SIZE;
/** Where both end. */
export const COPIES_END: number = 2 * METADATA_SIZE;
/** Where in a copy its JSON text begins. */
export const JSON_OFFSET = BINARY_LENGTH;
