import { hasParity } from "./shape.ts";
import type { Shape } from "./shape.ts";

/** Where a byte lies: a member and a byte of its data. */
export interface Place {
  readonly member: number;
  readonly offset: number;
}

/** One row of a parity level: all members' bytes of one stripe, in the order in which Q counts them. */
export interface ParityRow {
  /** By the exponent that Q gives them. */
  readonly data: readonly number[];
  readonly p: number;
  /** -1 without one. */
  readonly q: number;
}

/** Bytes of the array. */
export function arraySizeOf(shape: Shape): number {
  const { level, layout, memberCount, memberSize, chunkSize } = shape;
  const chunks = chunkSize === 0 ? 0 : Math.floor(memberSize / chunkSize);
  switch (level) {
    case -1:
      return chunks * chunkSize * memberCount;
    case 0:
      return chunks * chunkSize * memberCount;
    case 1:
      return memberSize;
    case 4:
    case 5:
      return chunks * chunkSize * (memberCount - 1);
    case 6:
      return chunks * chunkSize * (memberCount - 2);
    default: {
      const near = layout & 0xff;
      const far = (layout >> 8) & 0xff;
      return Math.floor((Math.floor(chunks / far) * memberCount) / near) * chunkSize;
    }
  }
}

/** All places of one byte of the array, as slowly and plainly as can be: one for levels without copies. */
export function placesOf(shape: Shape, at: number): Place[] {
  const { level, memberCount, memberSize, chunkSize } = shape;
  if (level === 1) return Array.from({ length: memberCount }, (_, member) => ({ member, offset: at }));
  const chunk = Math.floor(at / chunkSize);
  const within = at % chunkSize;
  if (level === -1) {
    const each = memberSize - (memberSize % chunkSize);
    return [{ member: Math.floor(at / each), offset: at % each }];
  }
  if (level === 0)
    return [{ member: chunk % memberCount, offset: Math.floor(chunk / memberCount) * chunkSize + within }];
  if (level === 10) return copiesOf(shape, chunk, within);
  const dataCount = memberCount - (level === 6 ? 2 : 1);
  const stripe = Math.floor(chunk / dataCount);
  const member = dataMembersOf(shape, stripe)[chunk % dataCount]!;
  return [{ member, offset: stripe * chunkSize + within }];
}

/** The copies of a chunk of RAID10: near ones side by side, far ones a part of the member, or a row, further on. */
function copiesOf(
  { layout, memberCount, memberSize, chunkSize }: Shape,
  chunk: number,
  within: number,
): Place[] {
  const near = layout & 0xff;
  const far = (layout >> 8) & 0xff;
  const isOffset = (layout & 0x1_0000) !== 0;
  const rows = Math.floor(memberSize / chunkSize);
  const places: Place[] = [];
  for (let copy = 0; copy < near; copy++) {
    const position = chunk * near + copy;
    const row = Math.floor(position / memberCount);
    for (let again = 0; again < far; again++) {
      const member = (position + again * near) % memberCount;
      const place = isOffset ? row * far + again : row + again * Math.floor(rows / far);
      places.push({ member, offset: place * chunkSize + within });
    }
  }
  return places;
}

/** The members that hold the data chunks of a stripe, in the array's order. */
function dataMembersOf(shape: Shape, stripe: number): number[] {
  const { layout, level } = shape;
  const { p, q } = parityMembersOf(shape, stripe);
  // Symmetric: data begins after the parity. With a member for Q alone, the others go round without it.
  const isSymmetric = level !== 4 && ((layout & 0xf) === 2 || (layout & 0xf) === 3);
  const turning = layout >= 16 ? shape.memberCount - 1 : shape.memberCount;
  const first = isSymmetric ? (layout >= 16 || q < 0 ? p : q) + 1 : 0;
  const members: number[] = [];
  for (let index = 0; index < turning; index++) {
    const member = (first + index) % turning;
    if (member !== p && member !== q) members.push(member);
  }
  return members;
}

function parityMembersOf({ level, layout, memberCount }: Shape, stripe: number): { p: number; q: number } {
  if (level === 4) return { p: memberCount - 1, q: -1 };
  const turn = stripe % memberCount;
  if (level === 5) {
    const p = [memberCount - 1 - turn, turn, memberCount - 1 - turn, turn, 0, memberCount - 1][layout]!;
    return { p, q: -1 };
  }
  switch (layout) {
    case 0:
    case 2:
      return { p: memberCount - 1 - turn, q: (memberCount - turn) % memberCount };
    case 1:
    case 3:
      return { p: turn, q: (turn + 1) % memberCount };
    case 4:
      return { p: 0, q: 1 };
    case 5:
      return { p: memberCount - 2, q: memberCount - 1 };
    // RAID5's layouts on all members but the last, which holds Q alone.
    case 16:
    case 17:
    case 18:
    case 19: {
      const five = { level: 5, layout: layout - 16, memberCount: memberCount - 1 } as Shape;
      return { p: parityMembersOf(five, stripe).p, q: memberCount - 1 };
    }
    default:
      throw new Error(`the reference does not know layout ${layout}`);
  }
}

/** The row of a stripe. */
export function parityRowOf(shape: Shape, stripe: number): ParityRow {
  const { memberCount } = shape;
  const { p, q } = parityMembersOf(shape, stripe);
  // Counting begins after Q.
  const first = q < 0 ? 0 : (q + 1) % memberCount;
  const data: number[] = [];
  for (let index = 0; index < memberCount; index++) {
    const member = (first + index) % memberCount;
    if (member !== p && member !== q) data.push(member);
  }
  return { data, p, q };
}

/** What the members' data says the array holds, each byte from its first place. */
export function contentOf(shape: Shape, members: readonly Uint8Array[], copy = 0): Uint8Array {
  const content = new Uint8Array(arraySizeOf(shape));
  const step = shape.chunkSize === 0 ? 4096 : shape.chunkSize;
  for (let at = 0; at < content.length; at += step) {
    const places = placesOf(shape, at);
    const { member, offset } = places[copy % places.length]!;
    content.set(members[member]!.subarray(offset, offset + Math.min(step, content.length - at)), at);
  }
  return content;
}

/** Writes contents to the members' data: all copies, and the parity made right. */
export function putContent(shape: Shape, members: readonly Uint8Array[], content: Uint8Array): void {
  const step = shape.chunkSize === 0 ? 4096 : shape.chunkSize;
  for (let at = 0; at < content.length; at += step)
    for (const { member, offset } of placesOf(shape, at))
      members[member]!.set(content.subarray(at, Math.min(at + step, content.length)), offset);
  if (!hasParity(shape)) return;
  for (let stripe = 0; stripe < Math.floor(shape.memberSize / shape.chunkSize); stripe++) {
    const row = parityRowOf(shape, stripe);
    for (let at = stripe * shape.chunkSize; at < (stripe + 1) * shape.chunkSize; at++) {
      const { p, q } = parityOf(row, members, at);
      members[row.p]![at] = p;
      if (row.q >= 0) members[row.q]![at] = q;
    }
  }
}

/**
 * Where copies or parity are not right, in words: at most one fault of each stripe or chunk. A member that is null is left out
 * of the comparison; with one missing nothing can be said of a parity.
 */
export function redundancyFaults(shape: Shape, members: readonly (Uint8Array | null)[]): string[] {
  if (hasParity(shape)) return members.every((member) => member !== null) ? parityFaults(shape, members) : [];
  const faults: string[] = [];
  const step = shape.chunkSize === 0 ? 4096 : shape.chunkSize;
  const size = arraySizeOf(shape);
  for (let at = 0; at < size; at += step) {
    const length = Math.min(step, size - at);
    const [first, ...others] = placesOf(shape, at).flatMap(({ member, offset }) => {
      const bytes = members[member]?.subarray(offset, offset + length);
      return bytes === undefined ? [] : [{ where: `member ${member} byte ${offset}`, bytes }];
    });
    const unlike = others.find((other) => Buffer.compare(first!.bytes, other.bytes) !== 0);
    if (unlike !== undefined) faults.push(`${first!.where} and ${unlike.where}`);
  }
  return faults;
}

function parityFaults(shape: Shape, members: readonly Uint8Array[]): string[] {
  const faults: string[] = [];
  for (let stripe = 0; stripe < Math.floor(shape.memberSize / shape.chunkSize); stripe++) {
    const row = parityRowOf(shape, stripe);
    for (let at = stripe * shape.chunkSize; at < (stripe + 1) * shape.chunkSize; at++) {
      const { p, q } = parityOf(row, members, at);
      const isP = members[row.p]![at] === p;
      if (isP && (row.q < 0 || members[row.q]![at] === q)) continue;
      faults.push(`${isP ? "Q" : "P"} of stripe ${stripe}, byte ${at} of the members`);
      break;
    }
  }
  return faults;
}

/** P: the sum; Q: the sum of each times 2 to its place, in the field of the polynomial 0x11d. */
function parityOf({ data }: ParityRow, members: readonly Uint8Array[], at: number): { p: number; q: number } {
  let p = 0;
  let q = 0;
  // From the last: each step doubles what was added before it.
  for (let index = data.length - 1; index >= 0; index--) {
    const value = members[data[index]!]![at]!;
    p ^= value;
    q = ((q << 1) ^ ((q & 0x80) === 0 ? 0 : 0x11d)) & 0xff;
    q ^= value;
  }
  return { p, q };
}
