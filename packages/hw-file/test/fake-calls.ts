import { systemCalls } from "../src/index.ts";
import type { FileCalls } from "../src/index.ts";

/** One call as the layer made it. */
export interface Call {
  readonly name: keyof FileCalls;
  readonly offset: number;
  readonly length: number;
}

/** What becomes of a call: it goes to the system, falls short, fails, or waits until it is let go. */
export type Fate = "pass" | "hold" | { readonly shortTo: number } | { readonly errno: string };

const errnoError = (errno: string): NodeJS.ErrnoException => Object.assign(new Error(errno), { code: errno });

/** System calls whose fate the test decides, one by one. */
export class FakeCalls implements FileCalls {
  readonly calls: Call[] = [];
  readonly held: (() => void)[] = [];
  fateOf: (call: Call) => Fate = () => "pass";

  read: FileCalls["read"] = (fd, data, at, length, offset, ended) =>
    this.#meet({ name: "read", offset, length }, ended, (part) =>
      systemCalls.read(fd, data, at, part, offset, ended),
    );

  write: FileCalls["write"] = (fd, data, at, length, offset, ended) =>
    this.#meet({ name: "write", offset, length }, ended, (part) =>
      systemCalls.write(fd, data, at, part, offset, ended),
    );

  readv: FileCalls["readv"] = (fd, parts, offset, ended) =>
    this.#meet({ name: "readv", offset, length: total(parts) }, ended, (part) =>
      systemCalls.readv(fd, cut(parts, part), offset, ended),
    );

  writev: FileCalls["writev"] = (fd, parts, offset, ended) =>
    this.#meet({ name: "writev", offset, length: total(parts) }, ended, (part) =>
      systemCalls.writev(fd, cut(parts, part), offset, ended),
    );

  fdatasync: FileCalls["fdatasync"] = (fd, ended) =>
    this.#meet(
      { name: "fdatasync", offset: 0, length: 0 },
      (error) => ended(error),
      () => systemCalls.fdatasync(fd, ended),
    );

  /** Names of the calls so far, in order. */
  get names(): string[] {
    return this.calls.map(({ name }) => name);
  }

  /** Lets everything that is held go on. */
  release(): void {
    for (const run of this.held.splice(0)) run();
  }

  #meet(
    call: Call,
    ended: (error: NodeJS.ErrnoException | null, count: number) => void,
    run: (length: number) => void,
  ): void {
    this.calls.push(call);
    const fate = this.fateOf(call);
    if (fate === "hold") this.held.push(() => run(call.length));
    else if (fate === "pass") run(call.length);
    else if ("errno" in fate) setImmediate(() => ended(errnoError(fate.errno), 0));
    else if (fate.shortTo === 0) setImmediate(() => ended(null, 0));
    else run(fate.shortTo);
  }
}

const total = (parts: readonly Uint8Array[]): number => parts.reduce((sum, part) => sum + part.length, 0);

function cut(parts: readonly Uint8Array[], length: number): Uint8Array[] {
  let left = length;
  return parts.flatMap((part) => {
    const share = Math.min(left, part.length);
    left -= share;
    return share === 0 ? [] : [part.subarray(0, share)];
  });
}
