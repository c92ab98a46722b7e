import { CevError } from "@cev/core";
import { parseCipher } from "../cipher/cipher-spec.ts";
import type { HeaderDevice } from "../header/header-device.ts";
import { withKeyslots } from "../luks1/editor.ts";
import type { Luks1Editor } from "../luks1/editor.ts";
import { freeLuks1Keyslot } from "../luks1/format.ts";
import { luks1AreaSize } from "../luks1/header.ts";
import type { Luks1Header } from "../luks1/header.ts";
import { LUKS1_AREA_ALIGNMENT, luks1Areas } from "../luks1/layout.ts";
import { luks1VolumeOf, refuseDamagedUuid } from "../luks1/volume.ts";
import { Luks1HeaderWriter } from "../luks1/write-header.ts";
import { writeCopies, writeCopy } from "../luks2/commit.ts";
import type { CommonHeader } from "../luks2/commit.ts";
import { digestJson, keyslotJson, segmentJson } from "../luks2/encode-json.ts";
import { BINARY_LENGTH, HEADER_SIZES } from "../luks2/header.ts";
import { writeJson } from "../luks2/json-value.ts";
import { copyArea, wipeBetween } from "./areas.ts";
import { freePlaces, planMoves } from "./plan-moves.ts";
import type { AreaMove, ByteRange } from "./plan-moves.ts";
import { replaceFirstCopy } from "./switch-header.ts";

const HEADER_SIZE = HEADER_SIZES[0]!;
/** Where areas can begin in LUKS2: behind both header copies. */
const COPIES_END = 2 * HEADER_SIZE;
/** Areas lie so much farther back in LUKS2. */
const SHIFT = COPIES_END - LUKS1_AREA_ALIGNMENT;
const KEYSLOTS_SIZE_MAX = 128 * 1024 * 1024;
const LUKSMETA_MAGIC = "LUKSMETA";

/** How a LUKS1 header becomes one of LUKS2: made, and possible, before anything is written. */
interface Plan {
  readonly device: HeaderDevice;
  /** Of an area in LUKS2. */
  readonly size: number;
  /** Bytes of an area that hold key material. */
  readonly materialLength: number;
  readonly window: ByteRange;
  /** The keyslot whose area lies where the LUKS2 header will be, where it goes first, and the free keyslot that lends its place. */
  readonly parking: { readonly id: number; readonly to: number; readonly lenderId: number | null } | null;
  /** Numbers and places of the keyslots when LUKS2 begins, and the moves from then on. */
  readonly places: ReadonlyMap<number, number>;
  readonly moves: readonly AreaMove[];
}

/**
 * Makes a LUKS2 header of a LUKS1 header, under the conditions of `cryptsetup convert`, and in an order that leaves a header with all
 * its keys after any write: first the one area that lies where the LUKS2 header will be is copied to a free place, and LUKS1 names it
 * there; then the second copy of the LUKS2 header is written, then the sector that turns the device into LUKS2, then the rest of
 * the first copy; then areas move to where `cryptsetup` would have them, one at a time; at last all that is left over is overwritten.
 * Throws `CEV_NOT_SUPPORTED` and `CEV_NO_SPACE` for what cannot be converted (so); nothing is written then.
 */
export async function convertToLuks2(device: HeaderDevice, editor: Luks1Editor): Promise<void> {
  const { header } = editor;
  const plan = await planConversion(device, header);
  if (plan.parking !== null) await park(plan, header);
  const common: CommonHeader = {
    headerSize: HEADER_SIZE,
    sequenceId: 1n,
    label: "",
    checksumAlgorithm: "sha256",
    uuid: header.uuid,
    subsystem: "",
  };
  const places = new Map(plan.places);
  const first = jsonOf(plan, header, places);
  await writeCopy(device, common, first, "secondary");
  await replaceFirstCopy(device, common, first);
  let { sequenceId } = common;
  for (const move of plan.moves) {
    await copyArea(device, move, plan.materialLength);
    places.set(move.id, move.to);
    sequenceId++;
    await writeCopies(device, { ...common, sequenceId }, jsonOf(plan, header, places), "secondary");
  }
  const ends = [
    ...header.keyslots.map(({ offset }) => offset),
    ...plan.places.values(),
    ...plan.moves.map(({ to }) => to),
  ];
  const end = Math.max(...ends) + plan.size;
  await wipeBetween(device, [...places.values()], plan.size, { ...plan.window, end });
}

async function planConversion(device: HeaderDevice, header: Luks1Header): Promise<Plan> {
  const { keyslots, keySize, payloadOffset } = header;
  const size = alignUp(luks1AreaSize(keySize));
  const materialLength = luks1AreaSize(keySize);
  refuseDamagedUuid(device.name, header);
  await checkConvertible(device, header, size);
  const homes = homesOf(header);
  const areasEnd = alignUp(Math.max(...homes) + materialLength);
  // Of a detached header the data may begin farther back than its file ends.
  const limit = Math.min(device.size, payloadOffset === 0 ? Infinity : payloadOffset);
  if (areasEnd + SHIFT > limit) {
    throw new CevError(
      "CEV_NO_SPACE",
      `LUKS2 needs ${areasEnd + SHIFT} bytes before the data, there are ${limit}`,
      {
        source: device.name,
        ...(limit !== payloadOffset ? { hint: "make the file of the detached header larger" } : {}),
      },
    );
  }
  const end = COPIES_END + Math.min(KEYSLOTS_SIZE_MAX, alignDown(limit - COPIES_END));
  const window = { offset: COPIES_END, end };
  const enabled = keyslots.flatMap(({ state, offset }, id) => (state === "enabled" ? [{ id, offset }] : []));
  const low = enabled.find(({ offset }) => offset < COPIES_END);
  const parking = low === undefined ? null : parkingFor(device, header, low.id, size, window);
  const places = new Map(enabled.map(({ id, offset }) => [id, offset]));
  if (parking !== null) places.set(parking.id, parking.to);
  const moving = enabled.map(({ id }) => ({
    id,
    offset: places.get(id)!,
    target: homes[id]! + SHIFT,
  }));
  // Where there is too little room for detours, areas stay where they are: LUKS2 does not mind.
  const moves = planMoves(moving, size, window) ?? [];
  return { device, size, materialLength, window, parking, places, moves };
}

async function checkConvertible(device: HeaderDevice, header: Luks1Header, size: number): Promise<void> {
  const { keyslots, keySize, cipherName, cipherMode } = header;
  const offsets = keyslots.map(({ offset }) => offset);
  const homes = homesOf(header);
  if (Math.min(...homes) !== LUKS1_AREA_ALIGNMENT)
    throw refused(device, `its keyslots begin at byte ${Math.min(...homes)}, not ${LUKS1_AREA_ALIGNMENT}`);
  const areOrdinary = offsets.every(
    (offset, id) =>
      offset % LUKS1_AREA_ALIGNMENT === 0 &&
      offsets.every((other, otherId) => id === otherId || Math.abs(offset - other) >= size),
  );
  if (!areOrdinary || offsets.filter((offset) => offset < COPIES_END).length > 1)
    throw refused(device, "the places of its keyslots do not suit LUKS2");
  if (cipherName.includes("null"))
    throw refused(device, `keyslots of LUKS2 cannot have the cipher ${cipherName}`);
  parseCipher(cipherMode === "" ? cipherName : `${cipherName}-${cipherMode}`, keySize);
  const areasEnd = alignUp(Math.max(...homes) + luks1AreaSize(keySize));
  if (areasEnd + LUKSMETA_MAGIC.length > device.size) return;
  const foreign = await device.read(areasEnd, LUKSMETA_MAGIC.length);
  if (Buffer.from(foreign).toString("latin1") === LUKSMETA_MAGIC)
    throw refused(device, "it carries LUKSMETA data, which would be overwritten");
}

/**
 * Where the areas belong: where they are, but for a single one in use that is not in its usual place: a conversion was cut after it
 * had been parked.
 */
function homesOf({ keyslots, keySize }: Luks1Header): number[] {
  const offsets = keyslots.map(({ offset }) => offset);
  const usual = luks1Areas(keySize).map(({ offset }) => offset);
  const away = offsets.flatMap((offset, id) => (offset === usual[id] ? [] : [id]));
  return away.length === 1 && keyslots[away[0]!]!.state === "enabled" ? usual : offsets;
}

/** Where the area at the beginning can go: to a free place, or to that of a free keyslot. */
function parkingFor(
  device: HeaderDevice,
  header: Luks1Header,
  id: number,
  size: number,
  window: ByteRange,
): Plan["parking"] {
  const all = new Map(header.keyslots.map(({ offset }, number) => [number, offset]));
  const [to] = freePlaces(all, size, window);
  if (to !== undefined) return { id, to, lenderId: null };
  const lenderId = header.keyslots.findIndex(({ state }) => state === "disabled");
  if (lenderId >= 0) return { id, to: header.keyslots[lenderId]!.offset, lenderId };
  throw new CevError(
    "CEV_NO_SPACE",
    "all eight keyslots are in use, and there is no room to move one of them safely",
    { source: device.name, hint: "remove a key, convert, and add the key again" },
  );
}

/** Copies the area at the beginning to its parking place, and has the LUKS1 header name it there. */
async function park({ device, parking, materialLength }: Plan, header: Luks1Header): Promise<void> {
  const { id, to, lenderId } = parking!;
  const slot = header.keyslots[id]!;
  await copyArea(device, { from: slot.offset, to }, materialLength);
  const writer = await Luks1HeaderWriter.open(device);
  if (lenderId === null) {
    await writer.update(header, withKeyslots(header, [[id, { ...slot, offset: to }]]));
    return;
  }
  // For a moment two keyslots have the same key.
  const doubled = withKeyslots(header, [[lenderId, { ...slot, offset: to }]]);
  await writer.update(header, doubled);
  await writer.update(doubled, withKeyslots(doubled, [[id, freeLuks1Keyslot(slot.offset)]]));
}

/** The JSON text, with areas where they are now. */
function jsonOf({ size, window }: Plan, header: Luks1Header, places: ReadonlyMap<number, number>): string {
  const { keyslots, digests, segment } = luks1VolumeOf(header);
  return writeJson({
    keyslots: Object.fromEntries(
      keyslots.map((slot) => {
        const area = { ...slot.area, offset: places.get(slot.id)!, size };
        return [slot.id, keyslotJson({ ...slot, area })];
      }),
    ),
    tokens: {},
    segments: { "0": segmentJson(segment) },
    digests: { "0": digestJson(digests[0]!) },
    config: {
      json_size: String(HEADER_SIZE - BINARY_LENGTH),
      keyslots_size: String(window.end - window.offset),
    },
  });
}

function refused(device: HeaderDevice, reason: string): CevError {
  return new CevError("CEV_NOT_SUPPORTED", `this LUKS1 header cannot become one of LUKS2: ${reason}`, {
    source: device.name,
  });
}

function alignUp(value: number): number {
  return Math.ceil(value / LUKS1_AREA_ALIGNMENT) * LUKS1_AREA_ALIGNMENT;
}

function alignDown(value: number): number {
  return Math.floor(value / LUKS1_AREA_ALIGNMENT) * LUKS1_AREA_ALIGNMENT;
}
