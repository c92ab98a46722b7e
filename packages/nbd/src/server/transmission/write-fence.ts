import type { Device, Io } from "@cev/core";

/** A connection, as the fence sees it. */
export interface FenceUser {
  /** Requests of it in the fence; counted there. */
  fencedCount: number;
}

/** A request, as the fence sees it. Its `Io` may show another offset while it is under way. */
export interface FencedRequest {
  readonly io: Io;
  readonly offset: number;
  readonly length: number;
  readonly owner: FenceUser;
  /** The rest is the fence's own. */
  fencing: "no" | "waiting" | "underWay";
  /** Counts those that entered. */
  fenceOrder: number;
  /** Of one that is under way: its place among them. */
  fenceIndex: number;
  /** Of one that waits: how many have to end before. */
  fenceCount: number;
}

/**
 * Keeps writes, zeroes and discards of one connection from overtaking overlapping ones of another, on one device. A client whose
 * connection breaks sends what was not answered again over the next one, and newer writes after it; but the old request may
 * still be stuck below, and would put its old data over the newer when it gets on. That the old connection is gone may not be
 * known yet, or never: a client that was killed looks like one that will send no more but still reads, and from one that has
 * too much under way nothing is read. So all that overlaps waits for what other connections have under way, first come first
 * served; among connections that live it is never wrong.
 *
 * Reads and flushes do not wait: what is stuck was never answered, so nothing depends on it.
 */
export class WriteFence {
  /** Requests that are under way beyond their turn, or wait. Those of devices that end them at once are never here. */
  count = 0;
  readonly #device: Device;
  readonly #underWay: FencedRequest[] = [];
  #waiting: FencedRequest[] = [];
  #order = 0;

  constructor(device: Device) {
    this.#device = device;
  }

  /** Of a request that is not submitted yet. True: it waits, and is handed to the device when those before it have ended. */
  holdsBack(request: FencedRequest): boolean {
    const blockers = countBlockers(request, this.#underWay) + countBlockers(request, this.#waiting);
    if (blockers === 0) return false;
    this.#enter(request, "waiting");
    request.fenceCount = blockers;
    this.#waiting.push(request);
    return true;
  }

  /** A request that was handed to the device goes on beyond its turn. */
  goesOn(request: FencedRequest): void {
    this.#enter(request, "underWay");
    this.#hold(request);
  }

  /** The connection of one that waits is gone. It has changed nothing yet, and ends at once. */
  drop(request: FencedRequest): void {
    this.#waiting.splice(this.#waiting.indexOf(request), 1);
    this.#leave(request);
    request.io.fail("CEV_CANCELLED", "its connection is gone", "nbd");
  }

  /** One that was under way has ended. */
  ended(request: FencedRequest): void {
    const last = this.#underWay.pop()!;
    if (last !== request) {
      this.#underWay[request.fenceIndex] = last;
      last.fenceIndex = request.fenceIndex;
    }
    this.#leave(request);
  }

  #enter(request: FencedRequest, fencing: "waiting" | "underWay"): void {
    request.fencing = fencing;
    request.fenceOrder = this.#order++;
    request.owner.fencedCount++;
    this.count++;
  }

  #hold(request: FencedRequest): void {
    request.fencing = "underWay";
    request.fenceIndex = this.#underWay.length;
    this.#underWay.push(request);
  }

  #leave(request: FencedRequest): void {
    request.fencing = "no";
    request.owner.fencedCount--;
    this.count--;
    if (this.#waiting.length > 0) this.#letGo(request);
  }

  #letGo(before: FencedRequest): void {
    const ready: FencedRequest[] = [];
    for (const one of this.#waiting)
      if (one.fenceOrder > before.fenceOrder && isBlockedBy(one, before) && --one.fenceCount === 0)
        ready.push(one);
    if (ready.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => one.fenceCount > 0);
    for (const one of ready) this.#hold(one);
    for (const { io } of ready) this.#device.submit(io);
  }
}

function countBlockers(request: FencedRequest, others: readonly FencedRequest[]): number {
  let count = 0;
  for (let index = 0; index < others.length; index++) if (isBlockedBy(request, others[index]!)) count++;
  return count;
}

function isBlockedBy(request: FencedRequest, other: FencedRequest): boolean {
  return (
    request.offset < other.offset + other.length &&
    other.offset < request.offset + request.length &&
    request.owner !== other.owner
  );
}

/** The fences of devices: one for each, however many exports show it. */
export class WriteFences {
  readonly #fences = new Map<Device, WriteFence>();

  of(device: Device): WriteFence {
    const known = this.#fences.get(device);
    if (known !== undefined) return known;
    const fence = new WriteFence(device);
    this.#fences.set(device, fence);
    return fence;
  }
}
