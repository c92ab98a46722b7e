import { createConnection, createServer } from "node:net";
import type { Server, Socket } from "node:net";

/** How a line breaks: at once, or as if both ends had closed it. */
export type Cut = "destroy" | "end";
export type Direction = "toServer" | "toClient";

/** One line that is to break, once so many bytes have gone through in this direction since it was asked for. */
interface Plan {
  readonly direction: Direction;
  readonly length: number;
  readonly how: Cut;
  /** Called when it has broken. */
  readonly then: () => void;
}

/** Stands between a client and a server, and breaks connections after a number of bytes. */
export class CuttingProxy implements AsyncDisposable {
  /** Bytes that have gone through. */
  readonly lengths: Record<Direction, number> = { toServer: 0, toClient: 0 };
  cutCount = 0;
  readonly #target: string;
  readonly #server: Server;
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  #plan: Plan | null = null;
  #passed = 0;

  private constructor(target: string) {
    this.#target = target;
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
  }

  static async between(path: string, target: string): Promise<CuttingProxy> {
    const proxy = new CuttingProxy(target);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.on("error", reject);
      proxy.#server.listen(path, resolve);
    });
    return proxy;
  }

  /** The connection through which the last of these bytes goes breaks right after it. One plan at a time. */
  cutAfter(length: number, direction: Direction, how: Cut, then: () => void = () => undefined): void {
    this.#plan = { length, direction, how, then };
    this.#passed = 0;
    if (length === 0) this.#cutAll();
  }

  forgetPlan(): void {
    this.#plan = null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#plan = null;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    await closed;
  }

  #accept(client: Socket): void {
    const server = createConnection({ path: this.#target, allowHalfOpen: true });
    const pair = [client, server] as const;
    this.#pairs.add(pair);
    this.#join(client, server, "toServer", pair);
    this.#join(server, client, "toClient", pair);
  }

  #join(from: Socket, to: Socket, direction: Direction, pair: readonly [Socket, Socket]): void {
    from.on("data", (bytes: Buffer) => {
      const plan = this.#plan;
      this.lengths[direction] += bytes.length;
      if (plan !== null && plan.direction === direction) {
        const left = plan.length - this.#passed;
        this.#passed += bytes.length;
        if (bytes.length >= left) return this.#cut(plan, pair, to, bytes.subarray(0, left));
      }
      if (to.write(bytes)) return;
      from.pause();
      to.once("drain", () => from.resume());
    });
    from.on("end", () => to.end());
    from.on("error", () => undefined);
    from.on("close", () => {
      this.#pairs.delete(pair);
      to.destroySoon();
    });
  }

  #cut(plan: Plan, pair: readonly [Socket, Socket], to: Socket, rest: Buffer): void {
    this.#plan = null;
    this.cutCount++;
    for (const socket of pair) socket.removeAllListeners("data");
    // It has to have left before the line is gone.
    to.write(rest, () => {
      for (const socket of pair) {
        if (plan.how === "destroy") socket.destroy();
        else socket.destroySoon();
      }
      plan.then();
    });
  }

  #cutAll(): void {
    const plan = this.#plan!;
    this.#plan = null;
    this.cutCount++;
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
    plan.then();
  }
}
