/** What argon2 is to be fitted to. Memory in KiB. */
export interface Argon2Target {
  readonly timeMs: number;
  readonly memoryMax: number;
  readonly lanes: number;
  readonly passesMin: number;
}

export interface Argon2Fit {
  readonly passes: number;
  readonly memory: number;
}

// A measurement shorter than this says little; one shorter than the second says next to nothing.
const MEASURED_MIN_MS = 250;
const MEASURED_SOME_MS = 10;
const MEMORY_START_KIBIBYTES = 64 * 1024;
// Close enough to the time wanted.
const SHARE_MIN = 0.95;
const SHARE_MAX = 1.1;
// Measurements may jump about for ever on a busy machine.
const ROUNDS_MAX = 12;
const UINT32_MAX = 2 ** 32 - 1;

/**
 * Passes and memory with which argon2 takes about the time wanted, by the rule of `cryptsetup`: memory grows first, up to its
 * bound, and only then the passes; when it has to be less, passes are given up first, down to their minimum, and only then
 * memory. `measure`: milliseconds for so many passes over so much memory.
 */
export async function fitArgon2(
  target: Argon2Target,
  measure: (passes: number, memory: number) => Promise<number>,
): Promise<Argon2Fit> {
  const memoryMin = Math.max(Math.min(MEMORY_START_KIBIBYTES, target.memoryMax), 8 * target.lanes);
  const memoryMax = Math.max(target.memoryMax, memoryMin);
  let fit: Argon2Fit = { passes: target.passesMin, memory: memoryMin };
  let timeMs = await measureBest(fit, measure);
  for (let round = 0; timeMs < MEASURED_MIN_MS && round < ROUNDS_MAX; round++) {
    const larger = grow(fit, timeMs, memoryMax);
    if (isSame(larger, fit)) break;
    fit = larger;
    timeMs = await measureBest(fit, measure);
  }
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const next = scale(fit, target.timeMs / Math.max(timeMs, 0.01), { ...target, memoryMin, memoryMax });
    if (next.isFinal || isSame(next, fit)) return next;
    fit = next;
    timeMs = await measure(fit.passes, fit.memory);
    if (timeMs >= target.timeMs * SHARE_MIN && timeMs <= target.timeMs * SHARE_MAX) return fit;
  }
  return fit;
}

/** The shortest of three, or the first that is too short to say anything. */
async function measureBest(
  { passes, memory }: Argon2Fit,
  measure: (passes: number, memory: number) => Promise<number>,
): Promise<number> {
  let bestMs = Number.POSITIVE_INFINITY;
  for (let sample = 0; sample < 3 && bestMs >= MEASURED_MIN_MS; sample++)
    bestMs = Math.min(bestMs, await measure(passes, memory));
  return bestMs;
}

/** What should take long enough to be measured. */
function grow({ passes, memory }: Argon2Fit, timeMs: number, memoryMax: number): Argon2Fit {
  const factor = timeMs < MEASURED_SOME_MS ? 16 : MEASURED_MIN_MS / timeMs;
  if (memory >= memoryMax) return { passes: Math.floor(passes * factor), memory };
  return { passes, memory: Math.min(Math.floor(memory * factor), memoryMax) };
}

function scale(
  { passes, memory }: Argon2Fit,
  factor: number,
  bounds: { readonly passesMin: number; readonly memoryMin: number; readonly memoryMax: number },
): Argon2Fit & { readonly isFinal: boolean } {
  const { passesMin, memoryMin, memoryMax } = bounds;
  if (factor < 1) {
    const fewer = Math.floor(passes * factor);
    if (fewer >= passesMin) return { passes: fewer, memory, isFinal: false };
    const less = Math.floor((passes * memory * factor) / passesMin);
    return { passes: passesMin, memory: Math.max(less, memoryMin), isFinal: less < memoryMin };
  }
  const more = Math.floor(memory * factor);
  if (more <= memoryMax) return { passes, memory: Math.max(more, memoryMin), isFinal: more < memoryMin };
  const longer = Math.floor((passes * memory * factor) / memoryMax);
  const isFinal = longer <= passesMin;
  return { passes: Math.min(Math.max(longer, passesMin), UINT32_MAX), memory: memoryMax, isFinal };
}

function isSame(left: Argon2Fit, right: Argon2Fit): boolean {
  return left.passes === right.passes && left.memory === right.memory;
}

/** Iterations of pbkdf2 in a second. `measure`: milliseconds for so many iterations. */
export async function fitPbkdf2(measure: (iterations: number) => Promise<number>): Promise<number> {
  let iterations = 2 ** 15;
  for (let round = 0; ; round++) {
    const timeMs = await measure(iterations);
    if (timeMs > 500 || round === 10 || iterations > 2 ** 28)
      return (iterations * 1000) / Math.max(timeMs, 1);
    // At least half a second is wanted at once, and not much more.
    if (timeMs <= 62) iterations *= 16;
    else if (timeMs <= 125) iterations *= 8;
    else if (timeMs <= 250) iterations *= 4;
    else iterations *= 2;
  }
}
