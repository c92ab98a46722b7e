import { CevError } from "@cev/core";
import type { OpenedDevice } from "@cev/core";
import { shownName } from "../assemble/availability.ts";
import type { LogicalVolume } from "../model/group.ts";
import type { SnapshotMapping } from "../model/mappings.ts";
import { notOpened } from "./check-segments.ts";
import { openEngine } from "./engine.ts";
import type { EngineLower } from "./engine.ts";
import type { VolumeTree } from "./volume-tree.ts";

/** A volume that is a snapshot, with what it says of itself. */
interface Snapshot {
  readonly volume: LogicalVolume;
  readonly mapping: SnapshotMapping;
}

/** An origin with its snapshots, opened as one. */
interface SnapshotSet {
  readonly origin: OpenedDevice;
  readonly snapshots: ReadonlyMap<LogicalVolume, OpenedDevice>;
}

/**
 * Origins with their snapshots: a write to an origin first copies what it overwrites into the store of each snapshot, so
 * either all of them are there or nothing is written.
 */
export class SnapshotSets {
  readonly #tree: VolumeTree;
  readonly #sets = new Map<LogicalVolume, Promise<SnapshotSet>>();
  #byOrigin: ReadonlyMap<string, readonly Snapshot[]> | null = null;

  constructor(tree: VolumeTree) {
    this.#tree = tree;
  }

  /** True for a volume that has snapshots. */
  isOrigin(volume: LogicalVolume): boolean {
    return this.#snapshotsOf(volume).length > 0;
  }

  /** True where a snapshot of it cannot be kept, because its store cannot be had. */
  lacksStore(origin: LogicalVolume): boolean {
    return this.#snapshotsOf(origin).some((snapshot) => this.#faultOf(snapshot) !== null);
  }

  /** What the snapshots of a volume are called. */
  namesOf(origin: LogicalVolume): string[] {
    return this.#snapshotsOf(origin).map(({ volume }) => shownName(volume));
  }

  /** True while a snapshot is merged into it. */
  isMerging(origin: LogicalVolume): boolean {
    return this.#snapshotsOf(origin).some(({ mapping }) => mapping.isMerging);
  }

  /** An origin as it is to be read and written. */
  async origin(volume: LogicalVolume): Promise<OpenedDevice> {
    return (await this.#setOf(volume, [])).origin;
  }

  async snapshot(
    volume: LogicalVolume,
    mapping: SnapshotMapping,
    path: readonly LogicalVolume[],
  ): Promise<OpenedDevice> {
    const tree = this.#tree;
    const name = tree.nameOf(volume);
    if (mapping.isMerging)
      throw new CevError(
        "CEV_NOT_SUPPORTED",
        `${name} cannot be opened: it is being merged into ${mapping.origin}`,
        {
          hint: "its contents are those of its origin already",
        },
      );
    const origin = tree.volume(mapping.origin);
    const fault = this.#faultOf({ volume, mapping });
    if (fault !== null) throw fault;
    const device = (await this.#setOf(origin, path)).snapshots.get(volume)!;
    tree.note(volume, device);
    return device;
  }

  /** Why a snapshot cannot be had, whatever its store holds; null: it can. */
  #faultOf({ volume, mapping }: Snapshot): CevError | null {
    const name = this.#tree.nameOf(volume);
    if (this.#tree.missing.ofName(mapping.store) !== null)
      return new CevError("CEV_DEGRADED", `${name} cannot be opened: its store is missing`);
    if (!isPowerOfTwo(mapping.chunkSize))
      return notOpened(name, `has chunks of ${mapping.chunkSize} bytes, which is no power of two`);
    return null;
  }

  #setOf(origin: LogicalVolume, path: readonly LogicalVolume[]): Promise<SnapshotSet> {
    let set = this.#sets.get(origin);
    if (set === undefined) {
      set = this.#open(origin, path);
      this.#sets.set(origin, set);
    }
    return set;
  }

  async #open(origin: LogicalVolume, path: readonly LogicalVolume[]): Promise<SnapshotSet> {
    const tree = this.#tree;
    const { extentSize } = tree.parts.group;
    // Without one of its stores the set is only read, from a tree that writes nothing: see `lacksStore`.
    const present = this.#snapshotsOf(origin).filter((snapshot) => this.#faultOf(snapshot) === null);
    const lowers: EngineLower[] = [await tree.engineLower(origin, path)];
    for (const { volume, mapping } of present)
      lowers.push(await tree.engineLower(tree.volume(mapping.store), [...path, volume]));
    const [first, ...others] = await openEngine(tree.parts, {
      driver: "@cev/snapshot",
      what: tree.nameOf(origin),
      options: {
        snapshots: present.map(({ volume, mapping }) => ({
          name: shownName(volume),
          chunkSize: mapping.chunkSize,
          size: volume.extentCount * extentSize,
          ...(mapping.isMerging ? { isMerging: true } : {}),
        })),
      },
      lowers,
      deviceCount: 1 + present.length,
    });
    return {
      origin: first!,
      snapshots: new Map(present.map(({ volume }, index) => [volume, others[index]!])),
    };
  }

  #snapshotsOf(volume: LogicalVolume): readonly Snapshot[] {
    this.#byOrigin ??= snapshotsByOrigin(this.#tree.parts.group.logicalVolumes);
    return this.#byOrigin.get(volume.name) ?? [];
  }
}

function isPowerOfTwo(size: number): boolean {
  return Number.isInteger(Math.log2(size));
}

function snapshotsByOrigin(volumes: readonly LogicalVolume[]): Map<string, readonly Snapshot[]> {
  const found = new Map<string, Snapshot[]>();
  for (const volume of volumes) {
    const mapping = volume.segments[0]?.mapping;
    if (mapping?.kind !== "snapshot") continue;
    const list = found.get(mapping.origin);
    if (list === undefined) found.set(mapping.origin, [{ volume, mapping }]);
    else list.push({ volume, mapping });
  }
  return found;
}
