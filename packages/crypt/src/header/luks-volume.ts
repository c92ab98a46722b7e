/** Names of the parts of a LUKS volume, the same for both versions of the format. Sizes and offsets are bytes. */
export interface LuksVolume {
  readonly version: 1 | 2;
  readonly uuid: string;
  readonly label: string;
  readonly subsystem: string;
  readonly keyslots: readonly Keyslot[];
  readonly digests: readonly KeyDigest[];
  readonly segment: CryptSegment;
  /** Types of the tokens, in the order of their numbers. */
  readonly tokens: readonly {
    readonly id: number;
    readonly type: string;
    readonly keyslots: readonly number[];
  }[];
  /** Flags kept in the header that `open` follows ("allow-discards"), and others. */
  readonly flags: readonly string[];
  /** In words, why the first keyslot is left out that cannot be used here, or may be one: it is damaged, or of a kind that is not known. */
  readonly leftOut?: string | null;
}

/** A place in a header that wraps the volume key. */
export interface Keyslot {
  readonly id: number;
  /** Of the key that is wrapped. */
  readonly keySize: number;
  readonly priority: KeyslotPriority;
  readonly kdf: KeyDerivation;
  /** The anti-forensic splitter's. */
  readonly stripes: number;
  readonly splitHash: string;
  /** Where the split key lies, encrypted. */
  readonly area: {
    readonly offset: number;
    readonly size: number;
    readonly encryption: string;
    readonly keySize: number;
  };
}

/** `ignore`: tried only when asked for by number; `prefer`: tried before the others. */
export type KeyslotPriority = "ignore" | "normal" | "prefer";

/** How a passphrase becomes a key, and at what cost. */
export type KeyDerivation = Pbkdf2 | Argon2;

export interface Pbkdf2 {
  readonly type: "pbkdf2";
  readonly hash: string;
  readonly iterations: number;
  readonly salt: Uint8Array;
}

export interface Argon2 {
  readonly type: "argon2i" | "argon2id";
  /** Passes over the memory. */
  readonly passes: number;
  /** In units of 1,024 bytes, as in the header. */
  readonly memoryKibibytes: number;
  readonly lanes: number;
  readonly salt: Uint8Array;
}

/** Tells a right volume key from a wrong one. */
export interface KeyDigest {
  readonly id: number;
  readonly keyslots: readonly number[];
  /** Segments that this key opens; a key that opens none is unbound. */
  readonly segments: readonly number[];
  readonly kdf: Pbkdf2;
  readonly digest: Uint8Array;
}

/** The encrypted part of the device. */
export interface CryptSegment {
  readonly offset: number;
  /** Null: to the end of the device. */
  readonly size: number | null;
  /** Sector number (of 512 bytes) that the first sector counts as. */
  readonly ivTweak: number;
  readonly encryption: string;
  readonly sectorSize: number;
}
