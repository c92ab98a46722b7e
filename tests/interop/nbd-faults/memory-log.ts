import { median, residentKib } from "../nbd-soak/memory-use.ts";

const PERIOD_MS = 250;
/** What collectors and pools may differ by, in KiB and beside that as a part. */
const SLACK_KIB = 49_152;
const SLACK_PART = 0.25;

/** Looks at the memory of a process as long as a case goes on. */
export class MemoryLog implements Disposable {
  readonly #name: string;
  readonly #samples: number[] = [];
  readonly #timer: NodeJS.Timeout;

  constructor(name: string, pid: number) {
    this.#name = name;
    this.#timer = setInterval(() => this.#samples.push(residentKib(pid)), PERIOD_MS);
  }

  /** The first and the last quarter, the first tenth (in which memory is still being taken) left out. Throws when it has grown. */
  figures(): string {
    this[Symbol.dispose]();
    const settled = this.#samples.slice(Math.ceil(this.#samples.length / 10));
    if (settled.length === 0) return `${this.#name} was not looked at`;
    const quarter = Math.ceil(settled.length / 4);
    const early = median(settled.slice(0, quarter));
    const late = median(settled.slice(-quarter));
    const text = `${this.#name} ${mib(early)} early, ${mib(late)} late, ${mib(Math.max(...settled))} at most`;
    if (late > early * (1 + SLACK_PART) + SLACK_KIB) throw new Error(`memory has grown: ${text}`);
    return text;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function mib(kib: number): string {
  return `${Math.round(kib / 1024)} MiB`;
}
