import { CevError, isCevError } from "@cev/core";
import type { Layer } from "@cev/core";
import { refusalOf, shownName } from "../assemble/availability.ts";
import type { LogicalVolume } from "../model/group.ts";
import type { Use } from "./uses.ts";
import type { EngineFacts, VolumeTree } from "./volume-tree.ts";
import type { WantedVolume } from "./wanted-volumes.ts";

/** The group that a volume is opened from. */
export interface OpenGround {
  /** Writes nothing. */
  readonly reading: VolumeTree;
  /** The same where nothing of the group is to be written. */
  readonly writing: VolumeTree;
  readonly uses: ReadonlyMap<string, readonly Use[]>;
  /** Why nothing of the group is to be written; null: there is no reason. */
  readonly groupReason: string | null;
}

/** A volume that was opened. */
export interface OpenedVolume {
  readonly layer: Layer;
  /** What its engine says of it; null: it has none. */
  readonly facts: EngineFacts | null;
  /** Null: it is not, or its engine has said why. */
  readonly readOnlyReason: string | null;
}

/** Makes the layer that users get of a volume. Throws where it cannot be had, with the reason. */
export async function openVolume(wanted: WantedVolume, ground: OpenGround): Promise<OpenedVolume> {
  const { volume, isPart } = wanted;
  const { reading, writing, uses } = ground;
  const name = reading.nameOf(volume);
  if (isPart)
    return opened(reading, volume, await reading.layerOf(volume), "it is a part of others, opened by itself");
  const refusal = refusalOf(volume);
  if (refusal !== null) throw new CevError(refusal.code, `${name} cannot be opened: it ${refusal.reason}`);
  const used = uses.get(volume.name) ?? [];
  checkFree(name, used);
  const reason = ground.groupReason ?? spoiling(used) ?? ownReason(writing, volume);
  if (writing.snapshots.isOrigin(volume)) return openOrigin(volume, ground, reason);
  const mapping = volume.segments[0]?.mapping;
  if (mapping?.kind === "snapshot") {
    const origin = writing.volume(mapping.origin);
    const tree = writing.snapshots.lacksStore(origin) ? reading : writing;
    // A snapshot reads through the tree that its origin is written through, also where it is not written itself.
    const layer =
      reason === null || tree === reading
        ? await tree.layerOf(volume)
        : tree.layerOver(volume, await tree.segmentsOf(volume), true);
    return opened(tree, volume, layer, reason ?? (tree === writing ? null : LACKS_STORE));
  }
  const tree = reason === null ? writing : reading;
  const thin = mapping?.kind === "thin" ? "thin volumes are read, not written" : null;
  return opened(tree, volume, await tree.layerOf(volume), reason ?? thin);
}

const LACKS_STORE = "the store of a snapshot cannot be had, and a write would spoil that";

/** An origin is opened together with its snapshots. Where they cannot be opened, it can be read by itself. */
async function openOrigin(
  volume: LogicalVolume,
  { reading, writing }: OpenGround,
  givenReason: string | null,
): Promise<OpenedVolume> {
  const isMissing = writing.snapshots.lacksStore(volume);
  const tree = isMissing ? reading : writing;
  const reason = givenReason ?? (isMissing ? LACKS_STORE : null);
  try {
    const device = await tree.snapshots.origin(volume);
    const length = volume.extentCount * tree.parts.group.extentSize;
    const segments = [{ start: 0, length, areas: [{ lower: device.layer, start: 0 }], stripeSize: 0 }];
    const layer = tree.layerOver(volume, segments, reason !== null || tree.isReadOnly);
    return { layer, facts: device, readOnlyReason: reason };
  } catch (error) {
    // While a snapshot is merged, what its origin reads as lies in both.
    if (!isCevError(error) || writing.snapshots.isMerging(volume)) throw error;
    const names = writing.snapshots.namesOf(volume).join(", ");
    const why = `writing to it would spoil ${names}, of which it is the origin (${error.message})`;
    return opened(reading, volume, await reading.layerOf(volume), why);
  }
}

function opened(
  tree: VolumeTree,
  volume: LogicalVolume,
  layer: Layer,
  readOnlyReason: string | null,
): OpenedVolume {
  return { layer, facts: tree.factsOf(volume), readOnlyReason };
}

/** What a write to an external origin would do to the thin volume that it shows through. */
function spoiling(used: readonly Use[]): string | null {
  const external = used.find(({ kind }) => kind === "external");
  if (external === undefined) return null;
  return `writing to it would spoil ${shownName(external.volume)}, which shows it where it was not written itself`;
}

function ownReason(tree: VolumeTree, volume: LogicalVolume): string | null {
  const mapping = volume.segments[0]?.mapping;
  // What is said of a snapshot is kept with its store.
  const isWritable = mapping?.kind === "snapshot" ? tree.volume(mapping.store).isWritable : volume.isWritable;
  return isWritable ? null : "it is not marked as writable";
}

/** A volume that others are made of is theirs. */
function checkFree(name: string, used: readonly Use[]): void {
  const part = used.find(({ kind }) => kind === "part");
  if (part !== undefined)
    throw new CevError(
      "CEV_UNKNOWN_FEATURE",
      `${name} cannot be opened: it is a part of ${shownName(part.volume)} (${part.type})`,
    );
  const merging = used.find(({ kind, type }) => kind === "merging" && type === "thin");
  if (merging !== undefined)
    throw new CevError(
      "CEV_UNKNOWN_FEATURE",
      `${name} cannot be opened: ${shownName(merging.volume)} is to be merged into it; let LVM2 finish that`,
    );
}
