import { Command } from "../protocol/numbers.ts";
import type { Bench } from "./bench.ts";
import { dataOf, demandSuccess } from "./replies.ts";
import type { Session } from "./session.ts";

/** Bytes that are read or written at a time. */
const PIECE = 1_048_576;

/** What lay where the checks write, kept in memory; put back after them. */
export class SavedScratch {
  readonly #bench: Bench;
  readonly #pieces: readonly Buffer[];

  private constructor(bench: Bench, pieces: readonly Buffer[]) {
    this.#bench = bench;
    this.#pieces = pieces;
  }

  static async save(bench: Bench): Promise<SavedScratch> {
    const pieces: Buffer[] = [];
    const session = await bench.enter();
    for (const place of placesOf(bench)) pieces.push(Buffer.from(await readAt(session, place)));
    await bench.end();
    return new SavedScratch(bench, pieces);
  }

  /** Writes what has changed. Throws where that cannot be done. */
  async restore(): Promise<void> {
    const session = await this.#bench.enter();
    for (const [index, place] of placesOf(this.#bench).entries()) {
      const saved = this.#pieces[index]!;
      const now = await readAt(session, place);
      if (now.equals(saved)) continue;
      demandSuccess(
        await session.ask({ command: Command.write, offset: place.offset, payload: saved }),
        "putting back what was there",
      );
    }
    if ((session.facts.flags & 4) !== 0) demandSuccess(await session.ask({ command: Command.flush }));
    await this.#bench.end();
  }
}

interface Place {
  readonly offset: number;
  readonly length: number;
}

function placesOf(bench: Bench): Place[] {
  const { offset, length } = bench.scratch;
  const piece = Math.min(PIECE, bench.payloadMax - (bench.payloadMax % bench.unit));
  const places: Place[] = [];
  for (let at = 0; at < length; at += piece)
    places.push({ offset: offset + at, length: Math.min(piece, length - at) });
  return places;
}

async function readAt(session: Session, { offset, length }: Place): Promise<Buffer> {
  return dataOf(await session.ask({ command: Command.read, offset, length }));
}
