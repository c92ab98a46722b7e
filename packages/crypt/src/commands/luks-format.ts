import { CevError } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { hashLength } from "../key/hash.ts";
import { deriveKey } from "../key/kdf.ts";
import { BINARY_LENGTH } from "../luks2/header.ts";
import {
  AREA_ALIGNMENT,
  COST_DEFAULT,
  ENCRYPTION,
  areaSizeOf,
  base64,
  keyslotJson,
  newKeyslot,
  wrapKey,
  writeDurably,
  writeHeaderCopies,
} from "../luks2/write.ts";
import type { KeyCost } from "../luks2/write.ts";
import { wipe } from "../key/secret.ts";

/** Settings of `luksFormat`. All but the first two have defaults. */
export interface LuksFormatOptions {
  readonly environment: Environment;
  /** Passphrases, or contents of key files: one keyslot is made for each. */
  readonly keys: readonly Uint8Array[];
  /** By default a random one. */
  readonly uuid?: string;
  /** At most 47 bytes of UTF-8. */
  readonly label?: string;
  readonly subsystem?: string;
  /** Bytes of the volume key: 64 (AES-256, the default) or 32 (AES-128). */
  readonly keySize?: 32 | 64;
  /** 512, 1024, 2048 or 4096. By default the device's block size, at least 512. */
  readonly sectorSize?: number;
  /** How passphrases become keys. Default: argon2id, four passes over 256 MiB in four lanes. */
  readonly cost?: KeyCost;
  /** Of the splitter and the digest. Default sha256. */
  readonly hash?: string;
  /** Where the data begins: a multiple of 4096. Default 16 MiB. */
  readonly dataOffset?: number;
}

const HEADER_SIZE = 16_384;
const DATA_OFFSET = 16 * 1024 * 1024;
// The volume key is random through and through: guessing it is no easier for a cheap digest.
const DIGEST_ITERATIONS = 10_000;

/**
 * Makes a LUKS2 device of `lower` (which is open, and which nobody else may be writing). Whatever it held is lost. The first
 * header copy is written last: until then it is no LUKS device, or one that opens. Returns the UUID.
 */
export async function luksFormat(lower: Layer, options: LuksFormatOptions): Promise<string> {
  const claim = lower.claims.acquire({ name: "luksFormat" }, "write", lower.name);
  const { environment } = options;
  const keySize = options.keySize ?? 64;
  const volumeKey = new Uint8Array(keySize);
  try {
    const layout = checkLayout(lower, options, keySize);
    environment.random(volumeKey);
    const hash = options.hash ?? "sha256";
    const slots = options.keys.map((_, id) =>
      newKeyslot(
        id,
        2 * HEADER_SIZE + id * areaSizeOf(keySize),
        keySize,
        hash,
        options.cost ?? COST_DEFAULT,
        environment,
      ),
    );
    const areas: Uint8Array[] = [];
    for (const slot of slots) areas.push(await wrapKey(slot, options.keys[slot.id]!, volumeKey, environment));
    const metadata = {
      keyslots: Object.fromEntries(slots.map((slot) => [slot.id, keyslotJson(slot)])),
      tokens: {},
      segments: {
        "0": {
          type: "crypt",
          offset: String(layout.dataOffset),
          size: "dynamic",
          iv_tweak: "0",
          encryption: ENCRYPTION,
          sector_size: layout.sectorSize,
        },
      },
      digests: { "0": await digestJson(volumeKey, slots.length, hash, environment) },
      config: {
        json_size: String(HEADER_SIZE - BINARY_LENGTH),
        keyslots_size: String(layout.dataOffset - 2 * HEADER_SIZE),
      },
    };
    const uuid = options.uuid ?? randomUuid(environment);
    // What was recognised there before must not be recognised again.
    await writeDurably(lower, environment, 0, new Uint8Array(2 * HEADER_SIZE));
    for (const slot of slots) await writeDurably(lower, environment, slot.area.offset, areas[slot.id]!);
    const header = {
      headerSize: HEADER_SIZE,
      sequenceId: 1n,
      label: options.label ?? "",
      checksumAlgorithm: "sha256",
      uuid,
      subsystem: options.subsystem ?? "",
    };
    await writeHeaderCopies(lower, environment, header, JSON.stringify(metadata));
    return uuid;
  } finally {
    wipe(volumeKey);
    claim.release();
  }
}

function checkLayout(
  lower: Layer,
  options: LuksFormatOptions,
  keySize: number,
): { readonly dataOffset: number; readonly sectorSize: number } {
  const { limits } = lower;
  const dataOffset = options.dataOffset ?? DATA_OFFSET;
  const sectorSize = options.sectorSize ?? Math.max(512, limits.logicalBlockSize);
  if (![512, 1024, 2048, 4096].includes(sectorSize))
    throw invalid(`sectors of ${sectorSize} bytes are not known`);
  if (limits.logicalBlockSize > AREA_ALIGNMENT)
    throw invalid(`blocks of ${limits.logicalBlockSize} bytes are larger than the header's parts`);
  if (dataOffset % Math.max(AREA_ALIGNMENT, limits.logicalBlockSize) !== 0)
    throw invalid(
      `dataOffset ${dataOffset} is not a multiple of ${AREA_ALIGNMENT} and of the device's blocks`,
    );
  const { length: keyCount } = options.keys;
  if (keyCount === 0 || keyCount > 32) throw invalid("one to 32 keys are needed");
  if (2 * HEADER_SIZE + keyCount * areaSizeOf(keySize) > dataOffset)
    throw invalid(`${keyCount} keyslots do not fit before byte ${dataOffset}`);
  if (dataOffset + sectorSize > limits.size)
    throw invalid(`the device ends at byte ${limits.size}, before its data`);
  return { dataOffset, sectorSize };
}

async function digestJson(
  volumeKey: Uint8Array,
  slotCount: number,
  hash: string,
  environment: Environment,
): Promise<object> {
  const salt = new Uint8Array(32);
  environment.random(salt);
  // As long as the hash's own: cryptsetup does not compare one of another length.
  const kdf = { type: "pbkdf2", hash, iterations: DIGEST_ITERATIONS, salt } as const;
  const digest = await deriveKey(volumeKey, kdf, hashLength(hash));
  return {
    type: "pbkdf2",
    keyslots: Array.from({ length: slotCount }, (_, id) => String(id)),
    segments: ["0"],
    hash,
    iterations: DIGEST_ITERATIONS,
    salt: base64(salt),
    digest: base64(digest),
  };
}

/** A UUID of version 4 (RFC 9562). */
function randomUuid(environment: Environment): string {
  const bytes = new Uint8Array(16);
  environment.random(bytes);
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return Buffer.from(bytes)
    .toString("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

function invalid(message: string): CevError {
  return new CevError("CEV_INVALID", message);
}
