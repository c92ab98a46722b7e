/** What came of a run. */
export interface SimulationResult {
  /** In words; none: nothing is wrong. */
  readonly findings: readonly string[];
  /** Of the step in which the first of them was found; -1: of none. */
  readonly stepIndex: number;
  /** Requests, cuts, losses and whatever else was done. */
  readonly stepCount: number;
  /** Requests of the work alone. */
  readonly requestCount: number;
  readonly cutCount: number;
  /** Errors that had to be expected. */
  readonly excusedCount: number;
  /** Of the simulated event loop. */
  readonly turnCount: number;
  /** Equal for runs in which the same happened. */
  readonly trace: string;
}
