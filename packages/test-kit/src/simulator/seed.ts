/** Seeds of the parts of a run: each from the run's own, a name and a number, so that no part moves another. */
export function seedOf(seed: number, stream: string, index = 0): number {
  let hash = 0x811c9dc5;
  const mix = (value: number): void => {
    hash = Math.imul(hash ^ (value & 0xffff), 0x01000193);
    hash = Math.imul(hash ^ (value >>> 16), 0x01000193);
    hash ^= hash >>> 15;
  };
  mix(seed);
  mix(Math.floor(seed / 2 ** 32));
  for (let at = 0; at < stream.length; at++) mix(stream.charCodeAt(at));
  mix(index);
  return hash >>> 0;
}

/** A sum over all that happens in a run: two runs that are the same have the same. */
export class Trace {
  #hash = 0x811c9dc5;

  add(value: number): void {
    this.#hash = Math.imul(this.#hash ^ (value & 0xffff), 0x01000193);
    this.#hash = Math.imul(this.#hash ^ (value >>> 16), 0x01000193);
  }

  addText(text: string): void {
    for (let at = 0; at < text.length; at++) this.add(text.charCodeAt(at));
  }

  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, "0");
  }
}
