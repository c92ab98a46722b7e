import { HeaderStyle, TransmissionFlag } from "../../src/protocol/numbers.ts";
import type { Chance } from "../client-streams/chance.ts";

/** Bytes of the disk; the second half is zeroes and is told so. */
export const DISK_SIZE = 131_072;

/** What a scripted server is, and how it breaks. All of it chosen by chance, once for a stream. */
export interface Script {
  readonly style: HeaderStyle;
  /** `TransmissionFlag`s. */
  readonly flags: number;
  /** Null: it tells no sizes. */
  readonly sizes: {
    readonly minimum: number;
    readonly preferred: number;
    readonly payloadMax: number;
  } | null;
  readonly hasContext: boolean;
  /** False: it knows the old option alone. */
  readonly hasGo: boolean;
  readonly sendsZeroes: boolean;
  /** Bytes of a handshake are changed. */
  readonly mutatesHandshake: boolean;
  /** Bytes of a transmission are changed. */
  readonly mutatesAnswers: boolean;
  /** Chunks are well formed and say what they must not. */
  readonly isMischievous: boolean;
  /** How many connections are like that; those after them are good. */
  readonly badCount: number;
  /** Once in so many turns a connection breaks. */
  readonly cutOneIn: number;
  /** Once in so many requests a good server fails one. */
  readonly errorOneIn: number;
}

const ALL_FLAGS =
  TransmissionFlag.hasFlags |
  TransmissionFlag.sendFlush |
  TransmissionFlag.sendFua |
  TransmissionFlag.sendTrim |
  TransmissionFlag.sendWriteZeroes |
  TransmissionFlag.canMultiConn;

export function makeScript(chance: Chance): Script {
  // One in eight is good from beginning to end: what comes of it is known.
  const isBad = !chance.oneIn(8);
  const kind = chance.below(8);
  return {
    style: chance.pick([
      HeaderStyle.simple,
      HeaderStyle.structured,
      HeaderStyle.structured,
      HeaderStyle.extended,
      HeaderStyle.extended,
    ]),
    flags: chance.oneIn(3) ? TransmissionFlag.hasFlags | chance.below(0x2000) : ALL_FLAGS,
    sizes: chance.oneIn(3)
      ? null
      : {
          minimum: chance.pick([1, 512, 4096]),
          preferred: 4096,
          payloadMax: chance.pick([65_536, 33_554_432]),
        },
    hasContext: !chance.oneIn(4),
    hasGo: !chance.oneIn(10),
    sendsZeroes: chance.oneIn(2),
    mutatesHandshake: isBad && kind === 0,
    mutatesAnswers: isBad && kind !== 0 && kind !== 7,
    isMischievous: isBad && kind >= 4,
    // The first connection is a look and no more.
    badCount: chance.oneIn(6) ? 1000 : chance.below(3) + (kind === 0 ? 1 : 2),
    cutOneIn: chance.oneIn(4) ? 4 : 1_000_000,
    errorOneIn: chance.oneIn(3) ? 4 : 1_000_000,
  };
}

/** True for a server that does nothing which it must not. */
export function isGood(script: Script): boolean {
  return !script.mutatesHandshake && !script.mutatesAnswers && !script.isMischievous;
}
