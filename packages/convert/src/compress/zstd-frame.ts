const MAGIC = 0xfd2fb528;
/** Bytes of the field with the content's length, by its flag; one byte where the flag is 0 and the frame is one segment. */
const SIZE_LENGTHS = [0, 2, 4, 8] as const;

/**
 * What a frame of zstd says of itself, which decides how much memory whoever expands it takes (RFC 8878, 3.1.1.1): whether it is one
 * that says that it holds `length` bytes, with a window no longer than those, and without a dictionary.
 */
export function isFrameOf(length: number, bytes: Uint8Array): boolean {
  if (bytes.length < 6) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== MAGIC) return false;
  const flags = view.getUint8(4);
  const isOneSegment = (flags & 0x20) !== 0;
  const hasDictionary = (flags & 3) !== 0;
  if (hasDictionary) return false;
  let at = 5;
  if (!isOneSegment) {
    const window = view.getUint8(at++);
    const base = 2 ** (10 + (window >> 3));
    if (base + (base / 8) * (window & 7) > length) return false;
  }
  const sizeLength = SIZE_LENGTHS[(flags >> 6) as 0 | 1 | 2 | 3];
  if (bytes.length < at + Math.max(1, sizeLength)) return false;
  switch (sizeLength) {
    case 0:
      return isOneSegment && view.getUint8(at) === length;
    case 2:
      return view.getUint16(at, true) + 256 === length;
    case 4:
      return view.getUint32(at, true) === length;
    case 8:
      return view.getUint32(at, true) === length && view.getUint32(at + 4, true) === 0;
  }
}
