import { CevError, readBytes } from "@cev/core";
import type { Details, Environment, Layer } from "@cev/core";
import { CryptLayer } from "./layer/crypt-layer.ts";
import { KDF_LIMITS } from "./key/kdf.ts";
import type { KdfLimits } from "./key/kdf.ts";
import type { LuksVolume } from "./header/luks-volume.ts";
import { readLuksVolume } from "./header/read-volume.ts";
import { wipe } from "./key/secret.ts";
import { unlockVolume } from "./header/unlock.ts";

/** Settings of `openLuks`. */
export interface OpenLuksOptions {
  readonly environment: Environment;
  /** Passphrases and contents of key files: each is tried on each keyslot. They stay as they are. */
  readonly keys: readonly Uint8Array[];
  /** What the user calls the device, for errors. By default the layer's name. */
  readonly name?: string;
  /** Refuse everything that writes. Default false. */
  readonly isReadOnly?: boolean;
  /** Let discards through. Default: as the header says. */
  readonly allowDiscards?: boolean;
  /** What the header may ask for when keys are derived. */
  readonly kdfLimits?: KdfLimits;
  /** What `describe` of the layer says of options. */
  readonly describedOptions?: Details;
  /** Is told, in one line, when one copy of the header is damaged, missing or out of date. */
  readonly report?: (problem: string) => void;
}

/** A LUKS device that was unlocked. */
export interface OpenedLuks {
  /** Its plaintext. Not opened yet: `Device.open` does that. */
  readonly layer: CryptLayer;
  readonly volume: LuksVolume;
  /** The keyslot that the key was in. */
  readonly keyslotId: number;
}

/**
 * Reads the header on `lower` (which is open) and unlocks it. Writes nothing. Throws `CEV_KEY_REQUIRED`, `CEV_WRONG_KEY`,
 * `CEV_BAD_METADATA`, or `CEV_UNKNOWN_FEATURE` for what is not known here.
 */
export async function openLuks(lower: Layer, options: OpenLuksOptions): Promise<OpenedLuks> {
  const { environment } = options;
  const name = options.name ?? lower.name;
  const source = {
    name,
    size: lower.limits.size,
    read: (offset: number, length: number) => readBytes(lower, environment, offset, length),
  };
  const found = await readLuksVolume(source);
  if (found === null) {
    const place = { source: name, structure: "LUKS header", byteOffset: 0 };
    throw new CevError("CEV_BAD_METADATA", "there is no LUKS header here", place);
  }
  const { volume, problem } = found;
  if (problem !== null) options.report?.(problem);
  const limits = options.kdfLimits ?? KDF_LIMITS;
  const { volumeKey, keyslotId } = await unlockVolume(volume, source, options.keys, { limits });
  try {
    const layer = new CryptLayer(lower, {
      environment,
      segment: volume.segment,
      volumeKey,
      allowDiscards: options.allowDiscards ?? volume.flags.includes("allow-discards"),
      isReadOnly: options.isReadOnly ?? false,
      describedOptions: options.describedOptions ?? {},
    });
    return { layer, volume, keyslotId };
  } finally {
    wipe(volumeKey);
  }
}
