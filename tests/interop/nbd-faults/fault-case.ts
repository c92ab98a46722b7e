/** Where a case does its work, and how much of it. */
export interface Setting {
  /** A folder of its own. The path is short: the name of a socket in it has at most 107 bytes. */
  readonly folder: string;
  /** The `cev` program. */
  readonly cev: string;
  readonly seconds: number;
  readonly seed: number;
}

/** Something that breaks, under a load that is checked. */
export interface FaultCase {
  readonly name: string;
  /** Gives its figures; throws what was lost. */
  readonly run: (setting: Setting) => Promise<string>;
}
