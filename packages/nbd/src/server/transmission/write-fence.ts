import type { Device, Io } from "@cev/core";

/** A request, as the fence sees it. Its `Io` may show another offset while it is under way. */
export interface FencedRequest {
  readonly io: Io;
  readonly offset: number;
  readonly length: number;
}

/**
 * Keeps requests that lost their connection from overtaking newer ones. A client whose connection breaks sends what was not
 * answered again over the next one, and newer writes after it; but the old request may still be stuck below, and would put its
 * old data over the newer when it gets on. So writes, zeroes and discards that overlap such an orphan wait until it has ended.
 *
 * Reads and flushes do not: the orphan was never answered, so nothing depends on it, and the repeated write that will be
 * answered waits.
 */
export class OrphanFence {
  /** Zero: nothing has to be held back. */
  orphanCount = 0;
  readonly #device: Device;
  readonly #orphans = new Set<FencedRequest>();
  #waiting: FencedRequest[] = [];

  constructor(device: Device) {
    this.#device = device;
  }

  /** True: it waits, and is handed to the device when those before it have ended. */
  holdsBack(request: FencedRequest): boolean {
    if (!this.#isBlocked(request)) return false;
    this.#waiting.push(request);
    return true;
  }

  /** The connection of this request is gone. One that waits here has changed nothing yet, and ends at once. */
  adopt(request: FencedRequest): void {
    if (this.#stopWaiting(request)) {
      request.io.fail("CEV_CANCELLED", "its connection is gone", "nbd");
      return;
    }
    this.#orphans.add(request);
    this.orphanCount++;
  }

  /** A request without a connection has ended. */
  ended(request: FencedRequest): void {
    if (!this.#orphans.delete(request)) return;
    this.orphanCount--;
    const waiting = this.#waiting;
    this.#waiting = waiting.filter((one) => this.#isBlocked(one));
    for (const one of waiting) if (!this.#waiting.includes(one)) this.#device.submit(one.io);
  }

  #stopWaiting(request: FencedRequest): boolean {
    const index = this.#waiting.indexOf(request);
    if (index >= 0) this.#waiting.splice(index, 1);
    return index >= 0;
  }

  #isBlocked({ offset, length }: FencedRequest): boolean {
    for (const orphan of this.#orphans)
      if (offset < orphan.offset + orphan.length && orphan.offset < offset + length) return true;
    return false;
  }
}
