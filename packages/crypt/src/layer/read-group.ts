import { CevError, isCevError } from "@cev/core";
import type { Burst, BurstUser, Io } from "@cev/core";
import { PARTS_LENGTH_MAX, PART_LENGTH_MAX } from "../cipher/sector-cipher.ts";
import type { CipherPart, SectorCipher } from "../cipher/sector-cipher.ts";

const NO_DATA = new Uint8Array(0);

/** A read whose ciphertext is there. Used again and again. */
class ReadPart implements CipherPart {
  io: Io | null = null;
  sector: number = Number.NaN;
  data: Uint8Array = NO_DATA;
  dataOffset = 0;
  length: number = Number.NaN;
}

/** Short reads of one burst that the lower device ended within it: they are decrypted together, and end when the burst does. */
export class ReadGroup implements BurstUser {
  readonly #cipher: SectorCipher;
  readonly #burst: Burst;
  #parts: ReadPart[] = [];
  #length = 0;
  readonly #freeParts: ReadPart[] = [];
  readonly #freeLists: ReadPart[][] = [];

  constructor(cipher: SectorCipher, burst: Burst) {
    this.#cipher = cipher;
    this.#burst = burst;
  }

  /** From within an action of a read that went well: holds it until it is decrypted. False: it is not for this group. */
  hold(io: Io, sector: number): boolean {
    const { length } = io;
    if (!this.#burst.isOn || length > PART_LENGTH_MAX || this.#cipher.decryptParts === undefined)
      return false;
    if (this.#length + length > PARTS_LENGTH_MAX) this.burstEnded();
    if (this.#parts.length === 0) this.#burst.atEnd(this);
    const part = this.#freeParts.pop() ?? new ReadPart();
    part.io = io;
    part.sector = sector;
    part.data = io.data;
    part.dataOffset = io.dataOffset;
    part.length = length;
    this.#parts.push(part);
    this.#length += length;
    io.hold();
    return true;
  }

  /** @internal Decrypts those that are held, and lets them go on. */
  burstEnded(): void {
    const parts = this.#parts;
    if (parts.length === 0) return;
    // What goes on may bring others.
    this.#parts = this.#freeLists.pop() ?? [];
    this.#length = 0;
    const error = this.#decrypt(parts);
    for (let index = 0; index < parts.length; index++) {
      const part = parts[index]!;
      const io = part.io!;
      part.io = null;
      part.data = NO_DATA;
      this.#freeParts.push(part);
      if (error !== null) {
        io.error = error;
        // What is there is no plaintext.
        io.transferred = 0;
      }
      io.resume();
    }
    parts.length = 0;
    this.#freeLists.push(parts);
  }

  #decrypt(parts: readonly ReadPart[]): CevError | null {
    try {
      const [first] = parts;
      if (parts.length > 1) this.#cipher.decryptParts!(parts);
      else this.#cipher.decrypt(first!.sector, first!.data, first!.dataOffset, first!.length);
      return null;
    } catch (cause) {
      return isCevError(cause) ? cause : new CevError("CEV_PROGRAM", "decryption failed", { cause });
    }
  }
}
