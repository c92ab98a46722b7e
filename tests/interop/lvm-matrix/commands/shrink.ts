/**
 * The shortest list found that still fails: parts of halving length are left out as long as it fails without them. `triesMax`
 * bounds how often it is tried.
 */
export async function shrink<T>(
  items: readonly T[],
  fails: (items: readonly T[]) => Promise<boolean>,
  triesMax: number,
): Promise<readonly T[]> {
  let best = items;
  let tries = 0;
  for (let part = Math.ceil(items.length / 2); part >= 1 && tries < triesMax; part = Math.floor(part / 2)) {
    for (let at = 0; at < best.length && tries < triesMax;) {
      const without = [...best.slice(0, at), ...best.slice(at + part)];
      tries++;
      if (without.length > 0 && (await fails(without))) best = without;
      else at += part;
    }
  }
  return best;
}
