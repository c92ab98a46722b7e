/** Lines kept of one connection, and bytes of one message shown. */
const LINES_MAX = 60;
const BYTES_SHOWN = 48;

/** What went over a connection, for people who look for the cause of a finding. */
export class Transcript {
  readonly #lines: string[] = [];
  #dropped = 0;

  sent(what: string, bytes: Uint8Array): void {
    this.#add(`C> ${what}: ${hex(bytes)}`);
  }

  received(what: string, bytes: Uint8Array): void {
    this.#add(`S> ${what}: ${hex(bytes)}`);
  }

  note(text: string): void {
    this.#add(`-- ${text}`);
  }

  text(): string {
    const before = this.#dropped === 0 ? [] : [`-- (${this.#dropped} lines before)`];
    return [...before, ...this.#lines].join("\n");
  }

  #add(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length <= LINES_MAX) return;
    this.#lines.shift();
    this.#dropped += 1;
  }
}

function hex(bytes: Uint8Array): string {
  const shown = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, BYTES_SHOWN));
  const groups = shown.toString("hex").replaceAll(/(.{8})(?=.)/g, "$1 ");
  return bytes.length > BYTES_SHOWN ? `${groups} … (${bytes.length} bytes)` : groups;
}
