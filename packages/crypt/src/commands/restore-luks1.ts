import type { HeaderDevice } from "../header/header-device.ts";
import { isEqualSecret } from "../key/secret.ts";
import { withKeyslots } from "../luks1/editor.ts";
import { freeLuks1Keyslot } from "../luks1/format.ts";
import { LUKS1_HEADER_LENGTH, encodeLuks1Header, luks1AreaSize } from "../luks1/header.ts";
import type { Luks1Header, Luks1Keyslot } from "../luks1/header.ts";
import { Luks1HeaderWriter } from "../luks1/write-header.ts";
import type { HeaderSource } from "../luks2/copies.ts";
import { copyRange, isSameRange } from "./copy-range.ts";
import type { FoundHeader } from "./header-extent.ts";

type Found = FoundHeader & { readonly version: 1 };
type Change = readonly [id: number, slot: Luks1Keyslot];

const AREAS_OFFSET = 4096;

/**
 * Restores a LUKS1 header. Where device and backup have the same volume key, keyslots that hold something else in each go by way
 * of free ones, so that at every moment one opens; else the areas are written, and then the header.
 */
export async function restoreLuks1(
  device: HeaderDevice,
  backup: HeaderSource,
  { header, length }: Found,
  former: Found | null,
): Promise<void> {
  const rest = { offset: AREAS_OFFSET, end: Math.min(length, device.size) };
  if (former !== null && isSameKey(header, former.header)) {
    await changeOver(device, backup, former.header, header);
    await copyRange(backup, device, rest);
    return;
  }
  const areas = areaRanges(header).map(({ offset, end }) => ({ offset, end }));
  for (const area of areas) await copyRange(backup, device, area);
  await copyRange(backup, device, rest);
  await (await Luks1HeaderWriter.open(device)).writeNew(encodeLuks1Header(header));
}

/** The volume key is the same, and so are the places of all keyslots, and what they are encrypted with. */
function isSameKey(left: Luks1Header, right: Luks1Header): boolean {
  return (
    isEqualSecret(left.digest, right.digest) &&
    isEqualSecret(left.digestSalt, right.digestSalt) &&
    left.digestIterations === right.digestIterations &&
    left.hash === right.hash &&
    left.cipherName === right.cipherName &&
    left.cipherMode === right.cipherMode &&
    left.keyslots.every(({ offset }, id) => offset === right.keyslots[id]!.offset)
  );
}

async function changeOver(
  device: HeaderDevice,
  backup: HeaderSource,
  former: Luks1Header,
  wanted: Luks1Header,
): Promise<void> {
  const writer = await Luks1HeaderWriter.open(device);
  const ranges = areaRanges(wanted);
  let now = former;
  const commit = async (next: Luks1Header): Promise<void> => {
    await writer.update(now, next);
    now = next;
  };
  const { added, conflicts } = await compareKeyslots(device, backup, former, wanted);
  for (const id of added) await copyRange(backup, device, ranges[id]!);
  // Free in both: a place on the way. Nothing in an area depends on where it lies.
  const spare = wanted.keyslots.flatMap(({ state }, id) =>
    state !== "enabled" && former.keyslots[id]!.state !== "enabled" ? [id] : [],
  );
  const passing: Change[] = [];
  for (const [index, id] of conflicts.slice(0, spare.length).entries()) {
    const place = spare[index]!;
    await copyRange(backup, device, ranges[id]!, ranges[place]!.offset);
    passing.push([place, { ...wanted.keyslots[id]!, offset: ranges[place]!.offset }]);
  }
  await commit(withKeyslots(former, [...added.map((id): Change => [id, wanted.keyslots[id]!]), ...passing]));
  const free = (id: number): Change => [id, freeLuks1Keyslot(ranges[id]!.offset)];
  const outdated = former.keyslots.flatMap(({ state }, id) =>
    state === "enabled" && (conflicts.includes(id) || wanted.keyslots[id]!.state !== "enabled") ? [id] : [],
  );
  await commit(withKeyslots(now, outdated.map(free)));
  for (const id of conflicts) await copyRange(backup, device, ranges[id]!);
  await commit(
    withKeyslots(
      now,
      conflicts.map((id): Change => [id, wanted.keyslots[id]!]),
    ),
  );
  await commit(
    withKeyslots(
      now,
      passing.map(([id]) => free(id)),
    ),
  );
  await commit(wanted);
  await copyRange(backup, device, { offset: 0, end: LUKS1_HEADER_LENGTH });
}

/** `added`: in use in the backup alone. `conflicts`: in use in both, and not the same. */
async function compareKeyslots(
  device: HeaderDevice,
  backup: HeaderSource,
  former: Luks1Header,
  wanted: Luks1Header,
): Promise<{ readonly added: number[]; readonly conflicts: number[] }> {
  const added: number[] = [];
  const conflicts: number[] = [];
  const ranges = areaRanges(wanted);
  for (const [id, slot] of wanted.keyslots.entries()) {
    const other = former.keyslots[id]!;
    if (slot.state !== "enabled") continue;
    if (other.state !== "enabled") added.push(id);
    else if (
      slot.iterations !== other.iterations ||
      !isEqualSecret(slot.salt, other.salt) ||
      !(await isSameRange(backup, device, ranges[id]!))
    )
      conflicts.push(id);
  }
  return { added, conflicts };
}

function areaRanges({ keyslots, keySize }: Luks1Header): { readonly offset: number; readonly end: number }[] {
  return keyslots.map(({ offset }) => ({ offset, end: offset + luks1AreaSize(keySize) }));
}
