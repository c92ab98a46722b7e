import { CevError, readBytes } from "@cev/core";
import type { Environment, Layer } from "@cev/core";
import { KDF_LIMITS } from "../key/kdf.ts";
import type { KdfLimits } from "../key/kdf.ts";
import { BINARY_LENGTH } from "../luks2/header.ts";
import { readLuks2Copies } from "../luks2/copies.ts";
import type { Luks2Copies } from "../luks2/copies.ts";
import {
  COST_DEFAULT,
  areaSizeOf,
  keyslotJson,
  newKeyslot,
  wrapKey,
  writeDurably,
  writeHeaderCopies,
} from "../luks2/write.ts";
import type { KeyCost } from "../luks2/write.ts";
import { wipe } from "../key/secret.ts";
import { unlockVolume } from "../header/unlock.ts";

/** Settings of `luksAddKey`. */
export interface LuksAddKeyOptions {
  readonly environment: Environment;
  /** Keys of which one opens the device already. */
  readonly keys: readonly Uint8Array[];
  /** The passphrase, or the contents of the key file, to be added. */
  readonly newKey: Uint8Array;
  /** How it becomes a key. Default: argon2id, four passes over 256 MiB in four lanes. */
  readonly cost?: KeyCost;
  /** What the header may ask for when keys are derived. */
  readonly kdfLimits?: KdfLimits;
}

const KEYSLOTS_MAX = 32;

interface Editable {
  readonly keyslots: Record<string, unknown>;
  readonly digests: Record<string, { keyslots: string[] }>;
}

/**
 * Gives a LUKS2 device one more key and returns the number of its keyslot. `lower` is open, and nobody else may be writing it.
 * The keyslot's area is written first, then one header copy after the other: cut at any moment, the device still opens. A header
 * copy that was damaged is whole again afterwards. What the metadata holds beside stays.
 */
export async function luksAddKey(lower: Layer, options: LuksAddKeyOptions): Promise<number> {
  const { environment } = options;
  const claim = lower.claims.acquire({ name: "luksAddKey" }, "write", lower.name);
  let volumeKey: Uint8Array | null = null;
  try {
    const source = {
      name: lower.name,
      size: lower.limits.size,
      read: (offset: number, length: number) => readBytes(lower, environment, offset, length),
    };
    const copies = await readLuks2Copies(source);
    if (copies === null)
      throw new CevError("CEV_BAD_METADATA", "there is no LUKS2 header here", { source: lower.name });
    const { header, metadata } = copies;
    const volume = {
      version: 2,
      ...metadata,
      uuid: header.uuid,
      label: header.label,
      subsystem: header.subsystem,
    } as const;
    const limits = options.kdfLimits ?? KDF_LIMITS;
    ({ volumeKey } = await unlockVolume(volume, source, options.keys, { limits }));
    const digest = metadata.digests.find(({ segments }) => segments.includes(0))!;
    const json = JSON.parse(copies.json) as Editable;
    const id = freeId(json);
    const offset = freeArea(copies, json, volumeKey.length);
    const slot = newKeyslot(
      id,
      offset,
      volumeKey.length,
      digest.kdf.hash,
      options.cost ?? COST_DEFAULT,
      environment,
    );
    const area = await wrapKey(slot, options.newKey, volumeKey, environment);
    json.keyslots[id] = keyslotJson(slot);
    json.digests[digest.id]!.keyslots.push(String(id));
    const text = JSON.stringify(json);
    if (Buffer.byteLength(text) >= header.headerSize - BINARY_LENGTH) throw full("the JSON area is full");
    await writeDurably(lower, environment, offset, area);
    await writeHeaderCopies(lower, environment, { ...header, sequenceId: header.sequenceId + 1n }, text);
    return id;
  } finally {
    wipe(volumeKey);
    claim.release();
  }
}

function freeId(json: Editable): number {
  for (let id = 0; id < KEYSLOTS_MAX; id++) if (!Object.hasOwn(json.keyslots, id)) return id;
  throw full(`all ${KEYSLOTS_MAX} keyslots are in use`);
}

/** The first gap between the areas of keyslots (of any type) that is large enough. */
function freeArea({ header, metadata }: Luks2Copies, json: Editable, keySize: number): number {
  const size = areaSizeOf(keySize);
  const start = 2 * header.headerSize;
  const areas = Object.values(json.keyslots)
    .map((slot) => (slot as { readonly area: { readonly offset: string; readonly size: string } }).area)
    .map((area) => ({ offset: Number(area.offset), end: Number(area.offset) + Number(area.size) }))
    .sort((left, right) => left.offset - right.offset);
  let at = start;
  for (const { offset, end } of areas) {
    if (offset - at >= size) return at;
    at = Math.max(at, end);
  }
  if (at + size > start + metadata.keyslotsSize) throw full("the area for keyslots is full");
  return at;
}

function full(message: string): CevError {
  return new CevError("CEV_NO_SPACE", message, { hint: "remove a key that is not needed any more" });
}
