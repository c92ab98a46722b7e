import { allocate } from "../allocate/allocate.ts";
import { findPlaces } from "../allocate/places.ts";
import { extentsOf, parseAmount, parsePlainSize, shareOf } from "../allocate/sizes.ts";
import type { LogicalVolume, VolumeGroup } from "../model/group.ts";
import { allocationText, changeTags, newSegment, newVolume, refuse } from "./change.ts";
import type { ChangeInputs, GroupChange } from "./change.ts";
import {
  checkCount,
  checkOrigin,
  checkStripes,
  chooseStripeSize,
  freeExtents,
  hasPlaces,
  policyOf,
  sumFree,
} from "./create-volume.ts";
import { EXTENTS_MAX, appendAreas, fillStart } from "./extents.ts";
import type { LvCreateRequest } from "./request.ts";
import { nextName } from "./volume-names.ts";
import { VolumeTree } from "./volume-tree.ts";

const CHUNK_SIZE = 4096;
const CHUNK_SIZE_MAX = 512 * 1024;
/** Header, one chunk of exceptions, one of data. */
const CHUNKS_MIN = 3;
const EXCEPTION_LENGTH = 16;
/** "SnAp", as the kernel's dm-snap-persistent.c has it. */
const STORE_MAGIC = 0x70_41_6e_53;
const STORE_VERSION = 1;

/**
 * `lvcreate --snapshot`: a store with the snapshot's name, and the hidden volume that ties it to its origin. The store is empty
 * before it counts. Throws `CEV_INVALID` and `CEV_NO_SPACE`.
 */
export function createSnapshot(
  group: VolumeGroup,
  request: LvCreateRequest & { readonly name: string },
  inputs: ChangeInputs,
): GroupChange {
  if (request.snapshotOf === undefined) refuse("a snapshot needs the name of its origin");
  const tree = new VolumeTree(group);
  const origin = tree.find(request.snapshotOf);
  checkOrigin(tree, origin);
  const chunkSize = chooseChunkSize(request.chunkSize);
  const messages: string[] = [];
  const store = makeStore(group, request, { origin, chunkSize, messages }, inputs);
  const link = newVolume(
    nextName(group, "snapshot"),
    [
      newSegment("snapshot", 0, origin.extentCount, {
        kind: "snapshot",
        origin: origin.name,
        store: store.name,
        chunkSize,
        isMerging: false,
      }),
    ],
    inputs,
    { status: ["READ", "WRITE", "VISIBLE"] },
  );
  return {
    group: { ...group, logicalVolumes: [...group.logicalVolumes, store, link] },
    messages: [...messages, `Logical volume "${store.name}" created.`],
    warnings: [],
    fills: fillStart(group, store, emptyStore(chunkSize), `empty store of ${store.name}`),
  };
}

function chooseChunkSize(text: number | string | undefined): number {
  const size = text === undefined ? CHUNK_SIZE : parsePlainSize(text, "the chunk size");
  if (size >= CHUNK_SIZE && size <= CHUNK_SIZE_MAX && Number.isInteger(Math.log2(size))) return size;
  return refuse(`${size} bytes are no chunk size: it is a power of 2 between 4 KiB and 512 KiB`);
}

interface StorePlan {
  readonly origin: LogicalVolume;
  readonly chunkSize: number;
  readonly messages: string[];
}

function makeStore(
  group: VolumeGroup,
  request: LvCreateRequest & { readonly name: string },
  { origin, chunkSize, messages }: StorePlan,
  inputs: ChangeInputs,
): LogicalVolume {
  const stripes = checkStripes(request.stripes ?? 1);
  const stripeSize = chooseStripeSize(group, stripes, request.stripeSize, messages);
  const places = findPlaces(group, request.places, inputs.names);
  const most = storeExtentsMax(group, origin.extentCount, chunkSize);
  const amount = parseAmount(request.size, request.extents);
  if (amount.sign !== "") refuse("the size of a new volume has no sign");
  let extentCount: number;
  if (amount.kind === "bytes") extentCount = extentsOf(amount.bytes, group);
  else if (amount.kind === "extents") ({ extentCount } = amount);
  else {
    const total = group.physicalVolumes.reduce((sum, one) => sum + one.extentCount, 0);
    const free = freeExtents(group);
    const { percent, of } = amount;
    if (of === "LV") refuse("a snapshot takes a share of %ORIGIN, %FREE, %PVS or %VG");
    // The share of the origin is that of its data; the tables of the exceptions come on top.
    if (of === "ORIGIN") extentCount = most - origin.extentCount + shareOf(percent, origin.extentCount, "up");
    else if (of === "VG") extentCount = Math.min(shareOf(percent, total, "down"), free);
    else if (of === "FREE") extentCount = shareOf(percent, free, "down");
    else extentCount = shareOf(percent, !hasPlaces(request) ? total : sumFree(places), "down");
  }
  if (extentCount > most) {
    messages.push(
      `Reducing COW size (${extentCount} extents) down to the maximum usable size (${most} extents).`,
    );
    extentCount = most;
  }
  checkCount(extentCount);
  if (extentCount * group.extentSize < CHUNKS_MIN * chunkSize)
    refuse(
      `the store of a snapshot cannot be smaller than ${CHUNKS_MIN} chunks (${CHUNKS_MIN * chunkSize} bytes)`,
      "give a larger size or a smaller chunk size",
    );
  const each = Math.ceil(extentCount / stripes);
  const found = allocate({
    places,
    policy: policyOf(group, request.alloc, null),
    areaCount: stripes,
    extentCount: each,
    previous: null,
    isApproximate: amount.kind === "share",
  });
  return newVolume(request.name, appendAreas([], found, stripeSize), inputs, {
    status: request.permission === "r" ? ["READ"] : ["READ", "WRITE"],
    tags: changeTags([], { addTags: request.tags }),
    allocation: allocationText(request.alloc, "inherit"),
  });
}

/**
 * The extents beyond which a store is of no use: a header, every chunk of the origin, and the tables that say where they lie, of
 * which an empty one ends the list.
 */
export function storeExtentsMax(
  { extentSize }: VolumeGroup,
  originExtents: number,
  chunkSize: number,
): number {
  const chunks = Math.ceil((originExtents * extentSize) / chunkSize);
  const perTable = chunkSize / EXCEPTION_LENGTH;
  const tables = Math.floor((chunks + perTable) / perTable);
  return Math.min(EXTENTS_MAX, Math.ceil(((1 + chunks + tables) * chunkSize) / extentSize));
}

/** The start of a store without exceptions: the header's chunk, and a table with none in it. */
function emptyStore(chunkSize: number): Uint8Array {
  const bytes = new Uint8Array(2 * chunkSize);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, STORE_MAGIC, true);
  view.setUint32(4, 1, true);
  view.setUint32(8, STORE_VERSION, true);
  view.setUint32(12, chunkSize / 512, true);
  return bytes;
}
