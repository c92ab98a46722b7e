import { VolatileCache } from "../model/volatile-cache.ts";
import type { CachePolicy } from "../model/volatile-cache.ts";
import type { Random } from "../random.ts";
import type { Recording } from "./recorded.ts";

/** Settings of `cutsOf`. */
export interface CutsOptions {
  /** What the device held when recording began. Its size is the device's; not altered. */
  readonly before: Uint8Array;
  readonly random: Random;
  /** Each gives an image of its own at each moment. Default: "sectors". */
  readonly policies?: readonly CachePolicy[];
  /**
   * What is written whole or not at all. Bytes, from 512 on. Default 512, which is harder than some file systems bear: ext4 counts on its
   * superblock to be written whole.
   */
  readonly atomicLength?: number;
}

/** What a recorded device could hold after a power cut. */
export interface RecordedCut {
  /** Index of the step before which the power went; for the end, the number of all steps. */
  readonly at: number;
  readonly policy: CachePolicy;
  readonly image: Uint8Array;
}

/**
 * Images after power cuts: before each step that makes something durable, and at the end. With "sectors" a durable write that may be torn
 * gives one more, in which it is under way.
 */
export async function* cutsOf(recording: Recording, options: CutsOptions): AsyncGenerator<RecordedCut> {
  const { before, random, policies = ["sectors"], atomicLength = 512 } = options;
  const durable = before.slice();
  const cache = new VolatileCache(512);
  let at = 0;
  const cuts = function* (among = policies): Generator<RecordedCut> {
    for (const policy of among) {
      const image = durable.slice();
      for (const part of cache.survivors(random, policy, atomicLength))
        part.change.copyTo(image, part.change.offset + part.within, part.within, part.length);
      yield { at, policy, image };
    }
  };
  for await (const step of recording.steps()) {
    at = step.index;
    if (step.kind === "flush" || step.isDurable) yield* cuts();
    if (step.kind === "flush") {
      for (const change of cache.changes) apply(cache, change, durable);
    } else if (step.kind !== "mark") {
      const content = step.kind === "write" ? await step.read(0, step.length) : 0;
      const change = cache.begin({ offset: step.offset, length: step.length, tag: 0 }, content);
      // Whole it is there before the next step, and lost it was there just now.
      if (step.isDurable && step.length > atomicLength) yield* cuts(policies.filter(isTearing));
      cache.complete(change);
      if (step.isDurable) apply(cache, change, durable);
    }
    at++;
  }
  yield* cuts();
}

function isTearing(policy: CachePolicy): boolean {
  return policy === "sectors";
}

function apply(cache: VolatileCache, change: ReturnType<VolatileCache["begin"]>, image: Uint8Array): void {
  for (const { within, length } of cache.liveParts(change))
    change.copyTo(image, change.offset + within, within, length);
  cache.makeDurable(change);
}
