import { decodeMdaHeader, findLabel, lvmCrc } from "@cev/lvm";

const SECTOR = 512;
const LABEL_SECTORS = 4;

/** A structure of a physical volume: the places of its bytes on the device, in order; a text may wrap around its ring. */
export interface Structure {
  readonly name: "label" | "area header" | "text";
  readonly places: readonly number[];
  /** Makes the checksums right again that cover it. */
  seal(bytes: Uint8Array): void;
}

/** The structures of one physical volume, found by reading it. */
export function structuresOf(bytes: Uint8Array, source: string): Structure[] {
  const { label } = findLabel(bytes.subarray(0, LABEL_SECTORS * SECTOR), source);
  if (label === null) throw new Error(`${source} has no label`);
  const start = label.sector * SECTOR;
  const structures: Structure[] = [
    { name: "label", places: run(start, SECTOR), seal: (on) => sealSector(on, start, 16, 20) },
  ];
  for (const { offset } of label.metadataAreas) {
    const place = { source, structure: "area", byteOffset: offset };
    const header = decodeMdaHeader(bytes.subarray(offset, offset + SECTOR), place);
    structures.push({
      name: "area header",
      places: run(offset, SECTOR),
      seal: (on) => sealSector(on, offset, 0, 4),
    });
    const { committed } = header;
    if (committed === null || (committed.flags & 1) !== 0) continue;
    const places = run(committed.offset, committed.size).map(
      (at) => offset + (at < header.size ? at : at - header.size + SECTOR),
    );
    const seal = (on: Uint8Array): void => {
      viewOf(on).setUint32(offset + 56, lvmCrc(Uint8Array.from(places, (at) => on[at]!)), true);
      sealSector(on, offset, 0, 4);
    };
    structures.push({ name: "text", places, seal });
  }
  return structures;
}

/** The ranges of a device that hold its metadata: what a damage can hit. */
export function metadataRanges(
  bytes: Uint8Array,
  source: string,
): readonly { readonly from: number; readonly to: number }[] {
  const { label } = findLabel(bytes.subarray(0, LABEL_SECTORS * SECTOR), source);
  const areas = label?.metadataAreas ?? [];
  return [
    { from: 0, to: LABEL_SECTORS * SECTOR },
    ...areas.map(({ offset, size }) => ({ from: offset, to: offset + size })),
  ];
}

/** Puts another text in the place of the committed one, in the first area of the device, and makes all checksums right. */
export function putText(bytes: Uint8Array, text: Uint8Array): void {
  const { label } = findLabel(bytes.subarray(0, LABEL_SECTORS * SECTOR), "a device");
  const area = label?.metadataAreas[0];
  if (area === undefined) throw new Error("the device has no metadata area");
  const { offset, size } = area;
  if (text.length > size - SECTOR) throw new Error("the text does not fit into the area");
  bytes.set(text, offset + SECTOR);
  const view = viewOf(bytes);
  view.setBigUint64(offset + 40, BigInt(SECTOR), true);
  view.setBigUint64(offset + 48, BigInt(text.length), true);
  view.setUint32(offset + 56, lvmCrc(text), true);
  sealSector(bytes, offset, 0, 4);
}

/** The text on a device, without the NUL behind it. */
export function textOf(bytes: Uint8Array, { places }: Structure): string {
  return Buffer.from(Uint8Array.from(places, (at) => bytes[at]!))
    .toString("latin1")
    .replace(/\0$/, "");
}

/** Makes the checksum of a sector at `start` right: it lies at `at` in it, and covers all from `from` on. */
export function sealSector(bytes: Uint8Array, start: number, at: number, from: number): void {
  viewOf(bytes).setUint32(start + at, lvmCrc(bytes.subarray(start + from, start + SECTOR)), true);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function run(start: number, length: number): number[] {
  return Array.from({ length }, (_, index) => start + index);
}
