import type { Random } from "../random.ts";

/**
 * What a power cut leaves of what was not made durable. `sectors`: any of the atomic units of any write. `writes`: any writes, each of them
 * whole. `prefix`: those that had completed up to some moment, in order of completion. `all`, `none`.
 */
export type CachePolicy = "all" | "none" | "sectors" | "writes" | "prefix";

/** What a change is made of: bytes, or the same byte everywhere. */
export type ChangeContent = Uint8Array | number;

/** A change that may or may not be on the medium when the power goes. */
export class CachedChange {
  /** Of all changes: later ones lie over earlier ones. */
  readonly order: number;
  readonly offset: number;
  readonly length: number;
  readonly content: ChangeContent;
  /** For whoever holds the cache: which operation it was. */
  readonly tag: number;
  /** @internal Which of its blocks are still of any meaning: not those that a durable change has overwritten. */
  readonly isLive: Uint8Array;
  /** @internal */
  liveCount: number;
  /** In order of completion, from 1; 0: it has not completed. */
  completedAt = 0;

  constructor(
    order: number,
    range: { readonly offset: number; readonly length: number; readonly tag: number },
    content: ChangeContent,
    blockCount: number,
  ) {
    this.order = order;
    this.offset = range.offset;
    this.length = range.length;
    this.tag = range.tag;
    this.content = content;
    this.isLive = new Uint8Array(blockCount).fill(1);
    this.liveCount = blockCount;
  }

  /** Puts a range of it into memory. */
  copyTo(target: Uint8Array, targetOffset: number, within: number, length: number): void {
    if (typeof this.content === "number") target.fill(this.content, targetOffset, targetOffset + length);
    else target.set(this.content.subarray(within, within + length), targetOffset);
  }
}

/** A part of a change. */
export interface CachedPart {
  readonly change: CachedChange;
  /** From the start of the change. Bytes. */
  readonly within: number;
  readonly length: number;
}

/**
 * The volatile cache of a disk: changes in their order, each of which may be lost, in whole or in part, until it was made durable. Then
 * nothing older can come back in its place. Knows no device: who holds it moves the bytes.
 */
export class VolatileCache {
  readonly blockSize: number;
  // In order of their beginning; those without a live block are not kept.
  readonly #changes = new Map<number, CachedChange>();
  // By number of the block: the changes that are live there, oldest first.
  readonly #byBlock = new Map<number, CachedChange[]>();
  #order = 0;
  #completedCount = 0;
  #byteCount = 0;

  /** `blockSize`: offsets and lengths of changes are multiples of it. */
  constructor(blockSize: number) {
    this.blockSize = blockSize;
  }

  /** How many changes a power cut could lose. */
  get changeCount(): number {
    return this.#changes.size;
  }

  /** How many bytes they have. */
  get byteCount(): number {
    return this.#byteCount;
  }

  /** All of them, oldest first. */
  get changes(): readonly CachedChange[] {
    return [...this.#changes.values()];
  }

  /** A change begins: from now on reads see it. `content` is kept, not copied. */
  begin(
    range: { readonly offset: number; readonly length: number; readonly tag: number },
    content: ChangeContent,
  ): CachedChange {
    const change = new CachedChange(this.#order++, range, content, range.length / this.blockSize);
    if (change.liveCount === 0) return change;
    this.#changes.set(change.order, change);
    this.#byteCount += change.length;
    const first = change.offset / this.blockSize;
    for (let index = 0; index < change.isLive.length; index++) {
      const list = this.#byBlock.get(first + index);
      if (list === undefined) this.#byBlock.set(first + index, [change]);
      else list.push(change);
    }
    return change;
  }

  /** A change has completed: a flush that begins now covers it. */
  complete(change: CachedChange): void {
    change.completedAt = ++this.#completedCount;
  }

  /** What a flush that begins now has to make durable, oldest first. */
  completed(): CachedChange[] {
    return this.changes.filter(({ completedAt }) => completedAt > 0);
  }

  /** The change is on the medium: it and what is older are not here any more, block by block. */
  makeDurable(change: CachedChange): void {
    this.#eachLiveBlock(change, (list, block) => {
      for (const older of list.splice(0, list.indexOf(change) + 1)) this.#endBlock(older, block);
    });
  }

  /** The change never happened. */
  drop(change: CachedChange): void {
    this.#eachLiveBlock(change, (list, block) => {
      list.splice(list.indexOf(change), 1);
      this.#endBlock(change, block);
    });
  }

  /** Nothing is cached any more; whoever still has a change may go on with it, to no effect. */
  clear(): void {
    for (const change of this.#changes.values()) {
      change.isLive.fill(0);
      change.liveCount = 0;
    }
    this.#changes.clear();
    this.#byBlock.clear();
    this.#byteCount = 0;
  }

  /** True when anything of the range is cached. */
  touches(offset: number, length: number): boolean {
    if (this.#changes.size === 0) return false;
    for (let at = offset - (offset % this.blockSize); at < offset + length; at += this.blockSize)
      if (this.#byBlock.has(at / this.blockSize)) return true;
    return false;
  }

  /** The newest change of each block of a range that has one, as parts in the order of their offsets. */
  newest(offset: number, length: number): CachedPart[] {
    const parts: CachedPart[] = [];
    for (let at = offset; at < offset + length; at += this.blockSize) {
      const change = this.#byBlock.get(at / this.blockSize)?.at(-1);
      if (change !== undefined) addPart(parts, change, at - change.offset, this.blockSize);
    }
    return parts;
  }

  /** What is still live of a change, as parts in the order of their offsets. */
  liveParts(change: CachedChange, start = 0, end: number = change.length): CachedPart[] {
    const parts: CachedPart[] = [];
    for (let within = start; within < end; within += this.blockSize)
      if (change.isLive[within / this.blockSize] === 1) addPart(parts, change, within, this.blockSize);
    return parts;
  }

  /** What reaches the medium if the power goes now, in the order in which it gets there. Changes nothing. `atomicLength`: bytes that are never torn. */
  survivors(random: Random, policy: CachePolicy, atomicLength: number): CachedPart[] {
    const changes = this.changes;
    switch (policy) {
      case "none":
        return [];
      case "all":
        return changes.flatMap((change) => this.liveParts(change));
      case "writes":
        return changes.filter(() => random.chance(0.5)).flatMap((change) => this.liveParts(change));
      case "prefix": {
        const place = ({ completedAt }: CachedChange): number => (completedAt === 0 ? Infinity : completedAt);
        const inOrder = changes.toSorted((a, b) => place(a) - place(b) || a.order - b.order);
        const kept = new Set(inOrder.slice(0, random.between(0, inOrder.length)));
        // Where they overlap the later one lies above, whichever completed first.
        return changes.filter((change) => kept.has(change)).flatMap((change) => this.liveParts(change));
      }
      case "sectors":
        return changes.flatMap((change) => this.#tornParts(change, random, atomicLength));
    }
  }

  /** Of each atomic unit: it is there or not. */
  #tornParts(change: CachedChange, random: Random, atomicLength: number): CachedPart[] {
    const parts: CachedPart[] = [];
    const step = Math.max(atomicLength, this.blockSize);
    for (let start = 0; start < change.length;) {
      const end = Math.min(change.length, start + step - ((change.offset + start) % step));
      const live = this.liveParts(change, start, end);
      if (live.length > 0 && random.chance(0.5)) parts.push(...live);
      start = end;
    }
    return parts;
  }

  #eachLiveBlock(change: CachedChange, end: (list: CachedChange[], block: number) => void): void {
    const first = change.offset / this.blockSize;
    for (let index = 0; index < change.isLive.length; index++) {
      if (change.isLive[index] === 0) continue;
      const list = this.#byBlock.get(first + index)!;
      end(list, first + index);
      if (list.length === 0) this.#byBlock.delete(first + index);
    }
  }

  #endBlock(change: CachedChange, block: number): void {
    change.isLive[block - change.offset / this.blockSize] = 0;
    if (--change.liveCount > 0) return;
    this.#changes.delete(change.order);
    this.#byteCount -= change.length;
  }
}

/** Adds a part, as one with the last one where they are neighbours. */
function addPart(parts: CachedPart[], change: CachedChange, within: number, length: number): void {
  const last = parts.at(-1);
  if (last?.change === change && last.within + last.length === within)
    parts[parts.length - 1] = { change, within: last.within, length: last.length + length };
  else parts.push({ change, within, length });
}
