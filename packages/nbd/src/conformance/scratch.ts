import { mkdtemp, open, rm } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join } from "node:path";
import { Command, TransmissionFlag } from "../protocol/numbers.ts";
import type { Bench } from "./bench.ts";
import { dataOf, demandSuccess } from "./replies.ts";
import type { Session } from "./session.ts";

/** Bytes that are read or written at a time. */
const PIECE = 1_048_576;
/** A server that died is waited for: it may be started again. */
const RETRY_MS = 200;

/** What lay where the checks write, in a file of its own: it outlives this process, and the server. */
export class SavedScratch {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  readonly #directory: string;

  private constructor(directory: string, { offset, length }: Place) {
    this.#directory = directory;
    this.path = fileIn(directory);
    this.offset = offset;
    this.length = length;
  }

  /** Reads what lies there into a file in a new folder within `parent`. */
  static async save(bench: Bench, parent: string): Promise<SavedScratch> {
    const directory = await mkdtemp(join(parent, "cev-nbd-saved-"));
    try {
      const file = await open(fileIn(directory), "wx", 0o600);
      try {
        const session = await bench.enter();
        for (const place of placesOf(bench))
          await writeWhole(file, await readAt(session, place), place.offset - bench.kept.offset);
        await file.sync();
      } finally {
        await file.close();
        await bench.end();
      }
    } catch (error) {
      await rm(directory, { recursive: true, force: true });
      throw error;
    }
    return new SavedScratch(directory, bench.kept);
  }

  /** Writes back what has changed, and removes the file. Tries again until the time of one answer is over; throws then. */
  async restore(makeBench: () => Bench): Promise<void> {
    const first = makeBench();
    const { clock } = first.environment;
    const end = clock.now() + first.timeoutMs;
    for (let bench = first; ; bench = makeBench()) {
      try {
        await this.#writeBack(bench);
        break;
      } catch (error) {
        if (clock.now() >= end) throw error;
        await bench.pause(RETRY_MS);
      } finally {
        await bench.end();
      }
    }
    await rm(this.#directory, { recursive: true, force: true });
  }

  async #writeBack(bench: Bench): Promise<void> {
    const file = await open(this.path, "r");
    try {
      const session = await bench.enter();
      for (const place of placesOf(bench)) {
        const saved = Buffer.alloc(place.length);
        await readWhole(file, saved, place.offset - this.offset);
        if ((await readAt(session, place)).equals(saved)) continue;
        const { offset } = place;
        const reply = await session.ask({ command: Command.write, offset, payload: saved });
        demandSuccess(reply, "putting back what was there");
      }
      if ((session.facts.flags & TransmissionFlag.sendFlush) !== 0)
        demandSuccess(await session.ask({ command: Command.flush }));
    } finally {
      await file.close();
    }
  }
}

interface Place {
  readonly offset: number;
  readonly length: number;
}

function fileIn(directory: string): string {
  return join(directory, "saved.img");
}

function placesOf(bench: Bench): Place[] {
  const { offset, length } = bench.kept;
  const piece = Math.min(PIECE, bench.payloadMax - (bench.payloadMax % bench.unit));
  const places: Place[] = [];
  for (let at = 0; at < length; at += piece)
    places.push({ offset: offset + at, length: Math.min(piece, length - at) });
  return places;
}

async function readAt(session: Session, { offset, length }: Place): Promise<Buffer> {
  return dataOf(await session.ask({ command: Command.read, offset, length }));
}

async function writeWhole(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;)
    at += (await file.write(bytes, at, bytes.length - at, position + at)).bytesWritten;
}

async function readWhole(file: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesRead } = await file.read(bytes, at, bytes.length - at, position + at);
    if (bytesRead === 0) throw new Error("the file with what was saved has been cut short");
    at += bytesRead;
  }
}
