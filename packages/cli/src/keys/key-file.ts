import { open } from "node:fs/promises";
import { CevError } from "@cev/core";
import { hostError } from "../host-error.ts";

/** The longest key that is taken, as by cryptsetup: a disk or a device without end named by mistake is not read whole. */
const KEY_LENGTH_MAX = 8 << 20;

const PIECE_LENGTH = 64 << 10;

/** Which bytes of a source are a key. */
export interface KeyRange {
  /** Bytes that are passed over. Default 0. */
  readonly offset?: number | undefined;
  /** Exactly so many bytes; by default all, 8 MiB at most. */
  readonly size?: number | undefined;
}

/** Gathers the bytes of a key as they come, in memory that is wiped. */
export class KeyGatherer {
  readonly #source: string;
  readonly #range: KeyRange;
  readonly #what: string;
  #skipped = 0;
  #bytes: Uint8Array = new Uint8Array(PIECE_LENGTH);
  #length = 0;

  /** `what`: what is expected there. */
  constructor(source: string, range: KeyRange, what = "a key") {
    this.#what = what;
    this.#source = source;
    this.#range = range;
  }

  /** Takes a piece. True: that is enough. */
  add(piece: Uint8Array): boolean {
    const { offset = 0, size } = this.#range;
    const passed = Math.min(piece.length, offset - this.#skipped);
    this.#skipped += passed;
    const rest = piece.subarray(passed);
    const wanted = size === undefined ? rest : rest.subarray(0, size - this.#length);
    if (this.#length + wanted.length > KEY_LENGTH_MAX)
      throw new CevError("CEV_INVALID", `it has more than 8 MiB, too many for ${this.#what}`, {
        source: this.#source,
        hint: "is this the file that was meant? --keyfile-size takes a part of it",
      });
    this.#reserve(this.#length + wanted.length);
    this.#bytes.set(wanted, this.#length);
    this.#length += wanted.length;
    return this.#length === size;
  }

  /** The key, which the caller wipes. `isLine`: its end was seen, and it may be empty. */
  take({ isLine = false }: { readonly isLine?: boolean } = {}): Uint8Array {
    const { offset = 0, size } = this.#range;
    if (this.#skipped < offset)
      throw new CevError("CEV_INVALID", `it ends before byte ${offset}, where ${this.#what} is to begin`, {
        source: this.#source,
      });
    if (size !== undefined && this.#length < size)
      throw new CevError(
        "CEV_INVALID",
        `it ends after ${this.#length} of the ${size} bytes that are asked for`,
        {
          source: this.#source,
        },
      );
    if (this.#length === 0 && !isLine)
      throw new CevError("CEV_KEY_REQUIRED", `it is empty, and ${this.#what} is expected`, {
        source: this.#source,
      });
    return this.#bytes.slice(0, this.#length);
  }

  wipe(): void {
    this.#bytes.fill(0);
  }

  #reserve(length: number): void {
    if (length <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(length, 2 * this.#bytes.length));
    larger.set(this.#bytes);
    this.#bytes.fill(0);
    this.#bytes = larger;
  }
}

/** A key from a file, a FIFO or a descriptor ("/dev/fd/3"), byte for byte. The caller wipes it. `what`: what is expected there. */
export async function readKey(path: string, range: KeyRange, what?: string): Promise<Uint8Array> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw hostError(path, error);
  });
  const gatherer = new KeyGatherer(path, range, what);
  const piece = new Uint8Array(PIECE_LENGTH);
  try {
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, piece.length, null);
      if (bytesRead === 0 || gatherer.add(piece.subarray(0, bytesRead))) return gatherer.take();
    }
  } catch (error) {
    throw hostError(path, error);
  } finally {
    piece.fill(0);
    gatherer.wipe();
    await file.close();
  }
}
