import { IoFlag, Op } from "@cev/core";
import type { RecordedRequest } from "./recorded.ts";

/**
 * Puts requests in the order in which they count: a flush behind all that had completed when it began, and before what completed since. What
 * is durable by itself stands alone, at its completion; of what it overwrote and no flush has covered yet, only the rest is listed later.
 */
export class WriteOrder {
  #listed: RecordedRequest[] = [];
  // What each flush under way covers.
  readonly #covered = new Map<RecordedRequest, RecordedRequest[]>();

  /** Bytes of data that are kept here. */
  length = 0;

  /** True while a flush is under way. */
  get isFlushing(): boolean {
    return this.#covered.size > 0;
  }

  began(request: RecordedRequest): void {
    if (request.op !== Op.flush) return;
    this.#covered.set(request, this.#listed);
    this.#listed = [];
  }

  /** What can be listed now, in its order. */
  ended(request: RecordedRequest): RecordedRequest[] {
    switch (request.op) {
      case Op.flush:
        return this.#flushEnded(request);
      case Op.write:
      case Op.writeZeroes:
      case Op.discard:
        // A write that failed may have been done in part: it counts as one that no power cut has to keep.
        if (request.error === null && (request.flags & IoFlag.fua) !== 0) {
          this.#trim(request);
          return [request];
        }
        this.#listed.push(request);
        this.length += lengthOf(request);
        return [];
      default:
        return [];
    }
  }

  /** All that no flush has covered yet. */
  rest(): RecordedRequest[] {
    const rest = this.#listed;
    this.#listed = [];
    for (const request of rest) this.length -= lengthOf(request);
    return rest;
  }

  #flushEnded(flush: RecordedRequest): RecordedRequest[] {
    if (flush.error !== null) {
      // It says nothing of them: the next flush covers them.
      this.#listed = [...(this.#covered.get(flush) ?? []), ...this.#listed];
      this.#covered.delete(flush);
      return [];
    }
    // What flushes cover that began before it had completed before it too.
    const covered: RecordedRequest[] = [];
    for (const [other, requests] of this.#covered) {
      covered.push(...requests);
      this.#covered.set(other, []);
      if (other === flush) break;
    }
    this.#covered.delete(flush);
    for (const request of covered) this.length -= lengthOf(request);
    return [...covered, flush];
  }

  /** What is older than a durable write cannot come back over it. */
  #trim(durable: RecordedRequest): void {
    this.#listed = this.#withoutThat(this.#listed, durable);
    for (const [flush, requests] of this.#covered)
      this.#covered.set(flush, this.#withoutThat(requests, durable));
  }

  #withoutThat(requests: readonly RecordedRequest[], durable: RecordedRequest): RecordedRequest[] {
    const rest: RecordedRequest[] = [];
    for (const request of requests) {
      const parts = without(request, durable);
      rest.push(...parts);
      this.length -= lengthOf(request);
      for (const part of parts) this.length += lengthOf(part);
    }
    return rest;
  }
}

function lengthOf({ data }: RecordedRequest): number {
  return data?.length ?? 0;
}

function without(request: RecordedRequest, durable: RecordedRequest): RecordedRequest[] {
  const end = request.offset + request.length;
  const durableEnd = durable.offset + durable.length;
  if (durable.offset >= end || durableEnd <= request.offset) return [request];
  return [
    partOf(request, request.offset, durable.offset - request.offset),
    partOf(request, durableEnd, end - durableEnd),
  ].filter(({ length }) => length > 0);
}

function partOf(request: RecordedRequest, offset: number, length: number): RecordedRequest {
  const within = offset - request.offset;
  const data = length > 0 ? (request.data?.subarray(within, within + length) ?? null) : null;
  return { ...request, offset, length, data };
}
