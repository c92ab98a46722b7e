/**
 * Waits until all have ended, and only then throws the error of the first that failed: memory and locks that they share are
 * given back behind this.
 */
export async function allEnded<T>(parts: readonly Promise<T>[]): Promise<T[]> {
  const outcomes = await Promise.allSettled(parts);
  return outcomes.map((outcome) => {
    if (outcome.status === "rejected") throw outcome.reason;
    return outcome.value;
  });
}
