/** What is done with a column of a slice: nothing, it is given room in memory, or it is read into that. */
export const Use = { none: 0, room: 1, read: 2 } as const;
export type Use = (typeof Use)[keyof typeof Use];

/** What is known of the columns of some rows of a stripe. By column (data, P, Q), 1: yes, 0: no. */
export interface ColumnStates {
  readonly dataCount: number;
  readonly parityCount: number;
  /** What the members hold there may be read, and can be. */
  readonly readable: Uint8Array;
  /** Writes must reach it. */
  readonly writable: Uint8Array;
}

/**
 * How new parity comes about: from nothing but what is written (`full`), from the old parity and what is overwritten
 * (`modify`), from the columns that stay (`reconstruct`), from those after what is lost of them was recovered
 * (`recover`), or not at all, because no parity's member takes writes (`none`).
 */
export type ParityWay = "full" | "modify" | "reconstruct" | "recover" | "none";

/**
 * Chooses what to read, so that all data is known: what can be read of it, and as many parities as columns are lost, P
 * before Q. False where too much is lost.
 */
export function planRecovery(states: ColumnStates, uses: Uint8Array): boolean {
  const { dataCount, parityCount, readable } = states;
  let lostCount = 0;
  uses.fill(Use.none);
  for (let column = 0; column < dataCount; column++) {
    uses[column] = readable[column] === 1 ? Use.read : Use.room;
    lostCount += 1 - readable[column]!;
  }
  for (let column = dataCount; column < dataCount + parityCount && lostCount > 0; column++) {
    if (readable[column] === 0) continue;
    uses[column] = Use.read;
    lostCount--;
  }
  return lostCount === 0;
}

/**
 * The same where the redundancy may be wrong: whether it is right can only be told where there is more of it than is
 * needed. All of both parities is read, for them to be compared. False also where one is not enough for that.
 */
export function planVerifiedRecovery(states: ColumnStates, uses: Uint8Array): boolean {
  const { dataCount, parityCount, readable } = states;
  if (!planRecovery(states, uses)) return false;
  let lostCount = 0;
  for (let column = 0; column < dataCount; column++) lostCount += 1 - readable[column]!;
  if (lostCount === 0) return true;
  if (lostCount > 1 || parityCount < 2) return false;
  for (let column = dataCount; column < dataCount + parityCount; column++) {
    if (readable[column] === 0) return false;
    uses[column] = Use.read;
  }
  return true;
}

/**
 * Chooses how the parity of a write comes about: the way that reads least among those that read nothing unreadable.
 * `written`: by data column, 1 where all rows are written. Fills `uses`; null where there is no way.
 *
 * Where the redundancy may be wrong (`isUnsynced`) it is made from the data alone. Only where data that stays cannot be
 * read, the old parity is modified: that leaves what it says of the lost column as it was, right or wrong.
 */
export function planWrite(
  states: ColumnStates,
  written: Uint8Array,
  isUnsynced: boolean,
  uses: Uint8Array,
): ParityWay | null {
  const { dataCount, parityCount, readable, writable } = states;
  let writtenCount = 0;
  let canModify = true;
  let canReconstruct = true;
  let parityWriteCount = 0;
  for (let column = 0; column < dataCount; column++) {
    writtenCount += written[column]!;
    if (readable[column] === 1) continue;
    if (written[column] === 1) canModify = false;
    else canReconstruct = false;
  }
  for (let column = dataCount; column < dataCount + parityCount; column++) {
    parityWriteCount += writable[column]!;
    if (writable[column] === 1 && readable[column] === 0) canModify = false;
  }
  uses.fill(Use.none);
  if (parityWriteCount === 0) return "none";
  const otherCount = dataCount - writtenCount;
  const isModifyLess = !isUnsynced && writtenCount + parityWriteCount < otherCount;
  let way: ParityWay = "recover";
  if (otherCount === 0) {
    way = "full";
  } else if (canModify && (isModifyLess || !canReconstruct)) {
    way = "modify";
    for (let column = 0; column < dataCount; column++) if (written[column] === 1) uses[column] = Use.read;
  } else if (canReconstruct) {
    way = "reconstruct";
    for (let column = 0; column < dataCount; column++) if (written[column] === 0) uses[column] = Use.read;
  } else if (isUnsynced || !planRecovery(states, uses)) {
    return null;
  }
  for (let column = dataCount; column < dataCount + parityCount; column++) {
    if (writable[column] === 0 || uses[column] === Use.read) continue;
    uses[column] = way === "modify" ? Use.read : Use.room;
  }
  return way;
}
