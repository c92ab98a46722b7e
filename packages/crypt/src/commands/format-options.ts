import type { Layer } from "@cev/core";
import type { CostTarget, KeyCost } from "../key/cost.ts";
import type { CommandOptions } from "./command.ts";

/** How a new LUKS device is to be. Sizes and offsets are bytes. What is left out is as `cryptsetup luksFormat` does it. */
export interface FormatShape {
  /** Default 2. */
  readonly version?: 1 | 2;
  /** Default aes-xts-plain64. */
  readonly encryption?: string;
  /** Of the volume key. Default 64 for xts, else 32. */
  readonly keySize?: number;
  /** Of the splitter, the digest, and pbkdf2. Default sha256. */
  readonly hash?: string;
  /** 512, 1024, 2048 or 4096. By default the device's physical block size, where data and device are whole multiples of it. */
  readonly sectorSize?: number;
  /** At most 47 bytes of UTF-8; LUKS2 alone. */
  readonly label?: string;
  readonly subsystem?: string;
  /** By default a random one. */
  readonly uuid?: string;
  /** Where the data begins. Default 16 MiB; of LUKS1 behind its keyslots; of a detached header 0. */
  readonly dataOffset?: number;
  /** The data begins at a multiple of it. Default 1 MiB. */
  readonly alignment?: number;
  /** Of one copy of the header, 16 KiB to 4 MiB, and of the area for keyslots: LUKS2 alone. */
  readonly metadataSize?: number;
  readonly keyslotsSize?: number;
  /** The number of the first key's keyslot. Default 0. */
  readonly keyslot?: number;
  /** How keyslots are encrypted. By default as the data; LUKS2 alone. */
  readonly keyslotEncryption?: string;
  readonly keyslotKeySize?: number;
}

/** Settings of `luksFormat`. All but the first have defaults. */
export interface LuksFormatOptions extends CommandOptions, FormatShape {
  /** Passphrases, or contents of key files: one keyslot is made for each. */
  readonly keys: readonly Uint8Array[];
  /** How passphrases become keys. Default: argon2id (LUKS1: pbkdf2), two seconds on this machine. */
  readonly cost?: KeyCost | CostTarget;
  /** By default random. It stays the caller's. */
  readonly volumeKey?: Uint8Array;
  /** The device with the data, where the header is to be detached. Nothing is written to it. */
  readonly data?: Layer;
}
