import { CevError } from "@cev/core";

/** The longest passphrase that is taken from a terminal, as by cryptsetup. */
export const TYPED_LENGTH_MAX = 512;

/** A line being typed, in memory that is wiped. */
export class LineBuffer {
  readonly #bytes = new Uint8Array(TYPED_LENGTH_MAX);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** Takes a byte. Throws `CEV_INVALID` where the line is too long: what was cut off would be missed at the next prompt. */
  push(byte: number): void {
    if (this.#length === TYPED_LENGTH_MAX)
      throw new CevError("CEV_INVALID", `more than ${TYPED_LENGTH_MAX} bytes were typed`, {
        hint: "put a longer one into a file, and name it with --key-file",
      });
    this.#bytes[this.#length++] = byte;
  }

  /** Takes back the last character, which may be several bytes of UTF-8. */
  erase(): void {
    while (this.#length > 0) {
      const byte = this.#bytes[--this.#length]!;
      this.#bytes[this.#length] = 0;
      if ((byte & 0xc0) !== 0x80) return;
    }
  }

  /** Takes back the last word, and the blanks behind it. */
  eraseWord(): void {
    while (this.#length > 0 && isBlank(this.#bytes[this.#length - 1]!)) this.erase();
    while (this.#length > 0 && !isBlank(this.#bytes[this.#length - 1]!)) this.erase();
  }

  /** A copy of the line; it is the caller's to wipe. */
  take(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  wipe(): void {
    this.#bytes.fill(0);
    this.#length = 0;
  }
}

const isBlank = (byte: number): boolean => byte === 0x20 || byte === 0x09;
