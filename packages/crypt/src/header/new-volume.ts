import type { CryptSegment, KeyDigest, Keyslot } from "./luks-volume.ts";

/** A LUKS volume in the making, the same for both versions of the format. Sizes and offsets are bytes. */
export interface NewLuksVolume {
  readonly uuid: string;
  /** Empty for LUKS1, which has none; the same goes for `subsystem` and `flags`. */
  readonly label: string;
  readonly subsystem: string;
  readonly flags: readonly string[];
  /** Of the volume key. */
  readonly keySize: number;
  /** Its offset is the layout's. */
  readonly segment: CryptSegment;
  /** Of the volume key: keyslots and segments in it are filled in from what is made. */
  readonly digest: KeyDigest;
  readonly keyslots: readonly NewKeyslot[];
}

/** A keyslot and the bytes of its area as they stand on the disk. */
export interface NewKeyslot {
  readonly slot: Keyslot;
  readonly area: Uint8Array;
}
