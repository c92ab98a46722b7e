import type { WordLength } from "./options.ts";

/**
 * Turns the bytes of every word round, from `source` at `sourceOffset` to `target` at `targetOffset`. `length` is a multiple of
 * `wordLength`. Source and target may be the same place, but may not overlap otherwise.
 */
export function swapBytes(
  source: Uint8Array,
  sourceOffset: number,
  target: Uint8Array,
  targetOffset: number,
  length: number,
  wordLength: WordLength,
): void {
  const from = source.byteOffset + sourceOffset;
  const to = target.byteOffset + targetOffset;
  // Memory of callers may begin anywhere, and a view of 32 bits may not.
  if ((from | to) % 4 !== 0 || length % 4 !== 0)
    return swapByByte(source, sourceOffset, target, targetOffset, length, wordLength);
  const words = new Uint32Array(source.buffer, from, length / 4);
  const swapped = new Uint32Array(target.buffer, to, length / 4);
  if (wordLength === 2) for (let at = 0; at < words.length; at++) swapped[at] = swapHalves(words[at]!);
  else if (wordLength === 4) for (let at = 0; at < words.length; at++) swapped[at] = swapWord(words[at]!);
  else
    for (let at = 0; at < words.length; at += 2) {
      const first = words[at]!;
      swapped[at] = swapWord(words[at + 1]!);
      swapped[at + 1] = swapWord(first);
    }
}

/** The same, byte by byte. */
export function swapByByte(
  source: Uint8Array,
  sourceOffset: number,
  target: Uint8Array,
  targetOffset: number,
  length: number,
  wordLength: WordLength,
): void {
  for (let word = 0; word < length; word += wordLength)
    for (let low = 0; low < wordLength / 2; low++) {
      const high = wordLength - 1 - low;
      const first = source[sourceOffset + word + low]!;
      target[targetOffset + word + low] = source[sourceOffset + word + high]!;
      target[targetOffset + word + high] = first;
    }
}

const swapHalves = (word: number): number => ((word & 0xff00ff) << 8) | ((word >>> 8) & 0xff00ff);

function swapWord(word: number): number {
  const halves = swapHalves(word);
  return (halves << 16) | (halves >>> 16);
}
