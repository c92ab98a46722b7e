import { MetadataError, assert, crc32c } from "@cev/core";
import { parseUuid } from "./identity.ts";
import type { ScanTarget } from "./member-scan.ts";
import { viewOf } from "./superblock-bytes.ts";
import type { Superblock } from "./superblock.ts";

const SECTOR = 512;
const BLOCK = 4096;
/** First four bytes of each block of the log that says what follows it, as a little-endian number. */
const JOURNAL_MAGIC = 0x6433c509;
const JOURNAL_VERSION = 1;
const HEAD_LENGTH = 32;
const CHECKSUM_AT = 4;
// What a clean stop leaves is a few blocks; what holds more is for the kernel.
const PAGES_MAX = 65_536;
const PayloadType = { data: 0, parity: 1, flush: 2 } as const;

/** A page of the log, and where it belongs. */
export interface JournalPage {
  /** `data`: at a byte of the array. `p`, `q`: at a byte of the members' data. */
  readonly kind: "data" | "p" | "q";
  readonly offset: number;
  /** Its byte on the journal device. */
  readonly at: number;
}

/** One block of the log. */
interface Block {
  readonly sequence: bigint;
  /** By place: what is logged later counts. */
  readonly pages: readonly (JournalPage & { readonly checksum: number })[];
  /** Bytes of it and its pages. */
  readonly length: number;
}

/**
 * The pages that the log of a journal device holds, from its superblock's tail on: those of the blocks that follow one another
 * and are whole, each place once, with what was logged last. A log that was used is never empty: its last pages stay, although
 * they have reached the members. Null where it holds more than is looked at. Throws a `MetadataError` for a tail that is
 * impossible.
 */
export async function readJournal(
  target: ScanTarget,
  superblock: Superblock,
): Promise<readonly JournalPage[] | null> {
  const log = new Log(target, superblock);
  const pages = new Map<string, JournalPage>();
  let count = 0;
  let position = log.tail;
  let expected: bigint | null = null;
  for (;;) {
    const block = await log.readBlock(position);
    if (block === null || (expected !== null && block.sequence !== expected)) break;
    if (!(await log.isWhole(block))) break;
    count += block.pages.length + 1;
    if (count > PAGES_MAX) return null;
    for (const { kind, offset, at } of block.pages) pages.set(`${kind} ${offset}`, { kind, offset, at });
    expected = block.sequence + 1n;
    position = log.after(position, block.length);
  }
  return [...pages.values()];
}

/** The ring on a journal device. Positions in bytes from its begin. */
class Log {
  readonly tail: number;
  readonly #target: ScanTarget;
  readonly #start: number;
  readonly #length: number;
  readonly #seed: number;

  constructor(target: ScanTarget, superblock: Superblock) {
    const { dataOffsetSectors, dataSizeSectors, journalTailSectors, arrayUuid } = superblock;
    this.#target = target;
    this.#start = dataOffsetSectors * SECTOR;
    this.#length = Math.floor((dataSizeSectors * SECTOR) / BLOCK) * BLOCK;
    this.tail = journalTailSectors * SECTOR;
    const uuid = parseUuid(arrayUuid);
    assert(uuid !== null, "a UUID has 32 hexadecimal digits");
    this.#seed = crc32c(0xffff_ffff, uuid);
    if (this.tail % BLOCK === 0 && this.tail < this.#length) return;
    throw new MetadataError(`the journal's tail at byte ${this.tail} of ${this.#length} is impossible`, {
      source: target.source,
      structure: "md superblock",
      field: "journal_tail",
      byteOffset: superblock.superOffsetSectors * SECTOR + 152,
    });
  }

  after(position: number, length: number): number {
    return (position + length) % this.#length;
  }

  /** The block of the log at a position; null where there is none. */
  async readBlock(position: number): Promise<Block | null> {
    const bytes = await this.#target.read(this.#start + position, BLOCK);
    const view = viewOf(bytes);
    const length = view.getUint32(12, true);
    const isThere =
      view.getUint32(0, true) === JOURNAL_MAGIC &&
      view.getUint8(8) === JOURNAL_VERSION &&
      view.getBigUint64(24, true) === BigInt(position / SECTOR) &&
      length >= HEAD_LENGTH &&
      length <= BLOCK;
    if (!isThere) return null;
    const plain = Uint8Array.from(bytes).fill(0, CHECKSUM_AT, CHECKSUM_AT + 4);
    if (crc32c(this.#seed, plain) !== view.getUint32(CHECKSUM_AT, true)) return null;
    return this.#decodeBlock(view, position, length);
  }

  /** True where the pages of a block are those it was written with. */
  async isWhole({ pages }: Block): Promise<boolean> {
    for (const { at, checksum } of pages)
      if (crc32c(this.#seed, await this.#target.read(at, BLOCK)) !== checksum) return false;
    return true;
  }

  #decodeBlock(view: DataView, position: number, length: number): Block | null {
    const pages: (JournalPage & { checksum: number })[] = [];
    let next = this.after(position, BLOCK);
    let at = HEAD_LENGTH;
    while (at < length) {
      if (at + 8 > length) return null;
      const type = view.getUint16(at, true);
      const size = view.getUint32(at + 4, true);
      if (type === PayloadType.flush) {
        at += 8 + size;
        continue;
      }
      const count = (size * SECTOR) / BLOCK;
      const isKnown = type === PayloadType.data || type === PayloadType.parity;
      if (!isKnown || !Number.isInteger(count) || count === 0 || at + 16 + 4 * count > length) return null;
      const location = view.getBigUint64(at + 8, true) * BigInt(SECTOR);
      if (location > BigInt(Number.MAX_SAFE_INTEGER - BLOCK * count)) return null;
      for (let page = 0; page < count; page++) {
        const kind = type === PayloadType.data ? "data" : page === 0 ? "p" : "q";
        const offset = Number(location) + (kind === "data" ? page * BLOCK : 0);
        pages.push({
          kind,
          offset,
          at: this.#start + next,
          checksum: view.getUint32(at + 16 + 4 * page, true),
        });
        next = this.after(next, BLOCK);
      }
      at += 16 + 4 * count;
    }
    return { sequence: view.getBigUint64(16, true), pages, length: BLOCK * (pages.length + 1) };
  }
}
