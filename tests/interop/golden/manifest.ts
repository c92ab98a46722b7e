/** One image of a golden set, as it is on disk once unpacked. */
export interface GoldenImage {
  readonly file: string;
  readonly size: number;
  readonly sha256: string;
}

/** What the kernel found in one of the set's devices: `md`, `luks`, `vg0/root`, `p1`… */
export interface GoldenLayer {
  readonly name: string;
  readonly size: number;
  readonly sha256: string;
}

/** One regular file in the set's file system. */
export interface GoldenFile {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

export interface GoldenManifest {
  readonly name: string;
  readonly description: string;
  readonly kernel: string;
  readonly images: readonly GoldenImage[];
  /** Opens the first keyslot, and the second, where the set has LUKS. */
  readonly passphrase?: string;
  readonly secondPassphrase?: string;
  readonly layers: readonly GoldenLayer[];
  readonly files: readonly GoldenFile[];
  /** UUIDs and the like, by dotted name. */
  readonly facts: Readonly<Record<string, string>>;
}
