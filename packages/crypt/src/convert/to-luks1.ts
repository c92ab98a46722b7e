import { CevError } from "@cev/core";
import type { HeaderDevice } from "../header/header-device.ts";
import type { Keyslot } from "../header/luks-volume.ts";
import { withKeyslots } from "../luks1/editor.ts";
import { freeLuks1Keyslot, luks1KeyslotFrom } from "../luks1/format.ts";
import { LUKS1_KEYSLOT_COUNT, encodeLuks1Header, luks1AreaSize } from "../luks1/header.ts";
import type { Luks1Header } from "../luks1/header.ts";
import { luks1Areas } from "../luks1/layout.ts";
import { Luks1HeaderWriter } from "../luks1/write-header.ts";
import { writeCopies } from "../luks2/commit.ts";
import type { Luks2Copies } from "../luks2/copies.ts";
import { SEQUENCE_MAX } from "../luks2/header.ts";
import { asJsonObject, jsonObjectOf, writeJson } from "../luks2/json-value.ts";
import { copyArea, wipeBetween } from "./areas.ts";
import { luks1HeaderFrom } from "./luks1-from-luks2.ts";
import { freePlaces, planMoves } from "./plan-moves.ts";
import type { AreaMove, ByteRange } from "./plan-moves.ts";
import { replaceByLuks1 } from "./switch-header.ts";

/** What is done: made, and possible, before anything is written. */
interface Plan {
  /** While the header is still one of LUKS2. */
  readonly moves: readonly AreaMove[];
  /** The header with which LUKS1 begins. */
  readonly header: Luks1Header;
  /** Afterwards: keyslots whose place was taken by the LUKS2 header go there, from a keyslot that lent its own, or from nowhere else. */
  readonly returns: readonly { readonly id: number; readonly to: number; readonly lenderId: number | null }[];
}

interface Room {
  /** Of an area. */
  readonly size: number;
  /** Where areas can be in LUKS2. */
  readonly window: ByteRange;
  /** Where areas end in LUKS1. */
  readonly limit: number;
}

/**
 * Makes a LUKS1 header of a LUKS2 header, in an order that leaves a header with all its keys after any write: areas move, one at a time,
 * to where LUKS1 has them, as far as the LUKS2 header is not in their way; then the second sector of the LUKS1 header is written,
 * which damages the first copy only, then its first sector, which turns the device into LUKS1; then the area that belongs where the
 * LUKS2 header was goes there; at last all that is left over is overwritten. Where there is too little room areas stay where they
 * are. Throws `CEV_NOT_SUPPORTED` and `CEV_NO_SPACE` for what cannot be converted (so); nothing is written then.
 */
export async function convertToLuks1(device: HeaderDevice, copies: Luks2Copies): Promise<void> {
  const { header: bare, volume } = luks1HeaderFrom(device, copies);
  const size = volume.keyslots[0]!.area.size;
  const materialLength = luks1AreaSize(bare.keySize);
  const copiesEnd = 2 * copies.header.headerSize;
  // Of a detached header the data may begin farther back than its file ends.
  const limit = alignDown(Math.min(device.size, bare.payloadOffset === 0 ? Infinity : bare.payloadOffset));
  const keyslotsSize = copies.root.member("config").member("keyslots_size").decimal();
  const window = { offset: copiesEnd, end: Math.min(limit, copiesEnd + keyslotsSize) };
  const plan = planConversion(bare, volume.keyslots, { size, window, limit });
  if (plan === null) {
    throw new CevError("CEV_NO_SPACE", "there is no room for the eight keyslots of LUKS1 before the data", {
      source: device.name,
      ...(device.size < bare.payloadOffset || bare.payloadOffset === 0
        ? { hint: "make the file of the detached header larger" }
        : {}),
    });
  }
  const { sequenceId: before } = copies.header;
  if (before + BigInt(plan.moves.length) > SEQUENCE_MAX)
    throw new CevError("CEV_NOT_SUPPORTED", "the header's sequence number cannot grow any more", {
      source: device.name,
    });
  const json = jsonObjectOf(copies.root);
  const { header: common } = copies;
  let { sequenceId } = common;
  for (const { id, from, to } of plan.moves) {
    await copyArea(device, { from, to }, materialLength);
    const slot = asJsonObject(asJsonObject(json["keyslots"])![id])!;
    asJsonObject(slot["area"])!["offset"] = String(to);
    sequenceId++;
    await writeCopies(device, { ...common, sequenceId }, writeJson(json), "secondary");
  }
  await replaceByLuks1(device, encodeLuks1Header(plan.header));
  const last = await returnAreas(device, plan, materialLength);
  const used = [
    ...volume.keyslots.map(({ area }) => area.offset),
    ...plan.moves.map(({ to }) => to),
    ...last.keyslots.map(({ offset }) => offset),
  ];
  const enabled = last.keyslots.flatMap(({ state, offset }) => (state === "enabled" ? [offset] : []));
  const end = Math.min(limit, Math.max(...used) + size);
  await device.writeDurably(1024, new Uint8Array(4096 - 1024));
  await wipeBetween(device, enabled, size, { offset: 4096, end });
}

/** Areas that lie, when LUKS1 begins, where it does not want them go to their own places. Returns the header as it is then. */
async function returnAreas(device: HeaderDevice, plan: Plan, materialLength: number): Promise<Luks1Header> {
  let { header } = plan;
  const writer = await Luks1HeaderWriter.open(device);
  const update = async (next: Luks1Header): Promise<void> => {
    await writer.update(header, next);
    header = next;
  };
  for (const { id, to, lenderId } of plan.returns) {
    const slot = header.keyslots[lenderId ?? id]!;
    await copyArea(device, { from: slot.offset, to }, materialLength);
    await update(withKeyslots(header, [[id, { ...slot, offset: to }]]));
    if (lenderId !== null) await update(withKeyslots(header, [[lenderId, freeLuks1Keyslot(slot.offset)]]));
  }
  return header;
}

function planConversion(
  bare: Omit<Luks1Header, "keyslots">,
  slots: readonly Keyslot[],
  { size, window, limit }: Room,
): Plan | null {
  const targets = luks1Areas(bare.keySize).map(({ offset }) => offset);
  const isRoomy = targets.at(-1)! + size <= limit;
  const found = isRoomy ? (byRoomBehind() ?? byLoan()) : null;
  return found ?? inPlace();

  /** Areas that cannot have their own place yet wait behind those of all eight keyslots. */
  function byRoomBehind(): Plan | null {
    const low = slots.filter(({ id }) => targets[id]! < window.offset);
    const start = Math.max(window.offset, targets.at(-1)! + size);
    const waiting = new Map(low.map(({ id }, index) => [id, start + index * size]));
    if (start + low.length * size > window.end) return null;
    const returns = low.map(({ id }) => ({ id, to: targets[id]!, lenderId: null }));
    return planWith((id) => waiting.get(id) ?? targets[id]!, returns, new Map());
  }

  /** The one area that cannot have its own place yet waits in that of a free keyslot. */
  function byLoan(): Plan | null {
    const low = slots.filter(({ id }) => targets[id]! < window.offset);
    const lenderId = targets.findIndex(
      (offset, id) => offset >= window.offset && !slots.some((slot) => slot.id === id),
    );
    if (low.length !== 1 || lenderId < 0) return null;
    const { id } = low[0]!;
    const returns = [{ id, to: targets[id]!, lenderId }];
    return planWith((one) => targets[one === id ? lenderId : one]!, returns, new Map([[id, lenderId]]));
  }

  /** `numbers`: keyslots that have another number when LUKS1 begins. */
  function planWith(
    placeOf: (id: number) => number,
    returns: Plan["returns"],
    numbers: ReadonlyMap<number, number>,
  ): Plan | null {
    const areas = slots.map(({ id, area }) => ({ id, offset: area.offset, target: placeOf(id) }));
    const moves = planMoves(areas, size, window);
    if (moves === null) return null;
    const made = new Map(
      slots.map((slot) => [
        numbers.get(slot.id) ?? slot.id,
        { ...luks1KeyslotFrom(slot), offset: placeOf(slot.id) },
      ]),
    );
    const keyslots = targets.map((offset, id) => made.get(id) ?? freeLuks1Keyslot(offset));
    return { moves, returns, header: { ...bare, keyslots } };
  }

  /** Areas stay; free keyslots get what places there are. */
  function inPlace(): Plan | null {
    const places = new Map(slots.map(({ id, area }) => [id, area.offset]));
    const made = new Map(slots.map((slot) => [slot.id, luks1KeyslotFrom(slot)]));
    for (let id = 0; id < LUKS1_KEYSLOT_COUNT; id++) {
      if (made.has(id)) continue;
      const offset = Math.min(...freePlaces(places, size, { offset: 4096, end: limit }));
      if (!Number.isFinite(offset)) return null;
      places.set(id, offset);
      made.set(id, freeLuks1Keyslot(offset));
    }
    const keyslots = targets.map((_, id) => made.get(id)!);
    return { moves: [], returns: [], header: { ...bare, keyslots } };
  }
}

function alignDown(value: number): number {
  return Math.floor(value / 4096) * 4096;
}
