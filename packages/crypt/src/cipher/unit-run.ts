/** How a device is cut into units with an initialization vector each. */
export interface UnitOptions {
  /** Bytes of one unit: 512 to 4096, a power of two. */
  readonly unitLength: number;
  /** What the number in the initialization vector grows by from unit to unit: 1, or with numbers that count 512 bytes the sectors of a unit. */
  readonly sectorStep: number;
}

/** Which run of units. */
export interface UnitRun extends UnitOptions {
  /** Number of the first unit. */
  readonly sector: number;
}
