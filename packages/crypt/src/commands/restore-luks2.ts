import type { HeaderDevice } from "../header/header-device.ts";
import { writeCopies } from "../luks2/commit.ts";
import type { CopyName } from "../luks2/commit.ts";
import type { HeaderSource, Luks2Copies } from "../luks2/copies.ts";
import { areasOf, findGap, listOf } from "../luks2/edit-json.ts";
import { BINARY_LENGTH, SEQUENCE_MAX } from "../luks2/header.ts";
import { asJsonObject, jsonObjectOf, writeJson } from "../luks2/json-value.ts";
import type { JsonObject } from "../luks2/json-value.ts";
import { copyRange, isSameRange } from "./copy-range.ts";
import type { FoundHeader } from "./header-extent.ts";

type Found = FoundHeader & { readonly version: 2 };
type Area = ReturnType<typeof areasOf>[number];

/**
 * Restores a LUKS2 header. Where a keyslot of the backup lies on one of the device that holds something else, it is first put
 * into a gap, and a header that names it there takes the place of the former one; only then is the former keyslot overwritten.
 */
export async function restoreLuks2(
  device: HeaderDevice,
  backup: HeaderSource,
  wanted: Found,
  former: Found | null,
): Promise<void> {
  const { copies, length } = wanted;
  const keyslots = { offset: 2 * copies.header.headerSize, end: length };
  if (former === null) {
    await copyRange(backup, device, keyslots);
    await copyHeaders(device, backup, copies, "secondary");
    return;
  }
  const isBridged = await bridge(device, backup, wanted, former);
  for (const area of areasOf(jsonObjectOf(copies.root))) await copyRange(backup, device, rangeOf(area));
  // Both copies are whole now, unless the former one had but one: that goes last.
  const first = isBridged || former.copies.used === "primary" ? "secondary" : "primary";
  await copyHeaders(device, backup, copies, first);
  await copyRange(backup, device, keyslots);
}

/**
 * Makes a way from the former header to the wanted one on which at least one passphrase opens at every moment. True when both
 * header copies are replaced by one of that way; false when none is needed, or none was found.
 */
async function bridge(
  device: HeaderDevice,
  backup: HeaderSource,
  { copies, length }: Found,
  former: Found,
): Promise<boolean> {
  const json = jsonObjectOf(copies.root);
  const formerAreas = areasOf(jsonObjectOf(former.copies.root));
  const areas = areasOf(json);
  const conflicts: Area[] = [];
  for (const area of areas) {
    const isFree = formerAreas.every((other) => !overlaps(area, other));
    if (isFree) await copyRange(backup, device, rangeOf(area));
    else if (!(await isSameRange(backup, device, rangeOf(area)))) conflicts.push(area);
  }
  if (conflicts.length === 0) return false;
  const window = { start: 2 * copies.header.headerSize, end: length };
  const taken = [...areas, ...formerAreas];
  let movedCount = 0;
  for (const { id, offset, size } of conflicts) {
    taken.sort((left, right) => left.offset - right.offset);
    const gap = findGap(taken, { ...window, size });
    if (gap === null) continue;
    await copyRange(backup, device, { offset, end: offset + size }, gap);
    taken.push({ id, offset: gap, size });
    moveArea(json, id, gap);
    movedCount++;
  }
  const text = writeJson(json);
  const isNone = movedCount === 0 && conflicts.length === areas.length;
  if (isNone || Buffer.byteLength(text) >= copies.header.headerSize - BINARY_LENGTH) return false;
  const [left, right] = [copies.header.sequenceId, former.copies.header.sequenceId];
  const latest = left > right ? left : right;
  if (latest >= SEQUENCE_MAX) return false;
  const header = { ...copies.header, sequenceId: latest + 1n };
  await writeCopies(device, header, text, former.copies.used === "primary" ? "secondary" : "primary");
  return true;
}

/** Both copies as they are in the backup; where one of them is damaged there, the other one twice. */
async function copyHeaders(
  device: HeaderDevice,
  backup: HeaderSource,
  copies: Luks2Copies,
  first: CopyName,
): Promise<void> {
  const { header, root, problem } = copies;
  if (problem !== null) {
    await writeCopies(device, header, writeJson(jsonObjectOf(root)), first);
    return;
  }
  const size = header.headerSize;
  const ranges = [
    { offset: 0, end: size },
    { offset: size, end: 2 * size },
  ];
  for (const { offset, end } of first === "primary" ? ranges : ranges.toReversed())
    await device.writeDurably(offset, await backup.read(offset, end - offset));
}

function moveArea(json: JsonObject, id: string, offset: number): void {
  const area = asJsonObject(asJsonObject(listOf(json, "keyslots")[id])?.["area"]);
  if (area !== null) area["offset"] = String(offset);
}

function rangeOf({ offset, size }: Area): { readonly offset: number; readonly end: number } {
  return { offset, end: offset + size };
}

function overlaps(left: Area, right: Area): boolean {
  return left.offset < right.offset + right.size && right.offset < left.offset + left.size;
}
