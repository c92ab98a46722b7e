import { CevError, SegmentMap, assert } from "@cev/core";
import type { Details, Layer, MappedArea, MappedSegment } from "@cev/core";
import { refusalOf, shownName } from "../assemble/availability.ts";
import type { LogicalVolume } from "../model/group.ts";
import type { Area } from "../model/mappings.ts";
import type { Segment } from "../model/segments.ts";
import { checkSegments, notOpened } from "./check-segments.ts";
import type { EngineLower } from "./engine.ts";
import type { GroupParts } from "./group-parts.ts";
import type { Lack, MissingParts } from "./missing.ts";
import { mirrorLayer } from "./mirror-volume.ts";
import { raidLayer } from "./raid-volume.ts";
import type { SegmentAreas } from "./segment-parts.ts";
import { SnapshotSets } from "./snapshot-sets.ts";
import { ErrorLayer, ZeroLayer } from "./target-layer.ts";
import { ThinPools } from "./thin-pools.ts";
import { VolumeLayer } from "./volume-layer.ts";

/** How the volumes that a volume is made of may be nested; LVM2 itself needs half of it. */
const DEPTH_MAX = 16;

/** What a `VolumeTree` is made of. */
export interface TreeOptions {
  readonly parts: GroupParts;
  readonly missing: MissingParts;
  /** Thin volumes that are asked for, so that those of one pool are opened together. */
  readonly isWanted: (volume: LogicalVolume) => boolean;
  /** The same volumes to be read only; null: this is it. */
  readonly preview: VolumeTree | null;
}

/** What an engine says of its device. */
export interface EngineFacts {
  readonly state: string;
  readonly details: Details;
}

/** Makes layers of volumes: each once, of whatever it is made of. */
export class VolumeTree {
  readonly parts: GroupParts;
  readonly missing: MissingParts;
  readonly isWanted: (volume: LogicalVolume) => boolean;
  readonly preview: VolumeTree | null;
  readonly snapshots: SnapshotSets = new SnapshotSets(this);
  readonly thin: ThinPools = new ThinPools(this);
  readonly #layers = new Map<LogicalVolume, VolumeLayer>();
  readonly #facts = new Map<LogicalVolume, EngineFacts>();

  constructor({ parts, missing, isWanted, preview }: TreeOptions) {
    this.parts = parts;
    this.missing = missing;
    this.isWanted = isWanted;
    this.preview = preview;
  }

  /** Nothing is written through these layers. */
  get isReadOnly(): boolean {
    return this.preview === null;
  }

  /** "vg0/root". */
  nameOf(volume: LogicalVolume): string {
    return `${this.parts.name}/${shownName(volume)}`;
  }

  /** What the engine of a volume says of it; null: it has none. */
  factsOf(volume: LogicalVolume): EngineFacts | null {
    return this.#facts.get(volume) ?? null;
  }

  note(volume: LogicalVolume, { state, details }: EngineFacts): void {
    this.#facts.set(volume, { state, details });
  }

  /** A volume that another one names. */
  volume(name: string): LogicalVolume {
    const volume = this.parts.volumes.get(name);
    assert(volume !== undefined, "the volumes that others are made of are in the group");
    return volume;
  }

  /** The layer of what a volume's own segments say, without what snapshots make of it. `path`: the volumes it is made for. */
  async layerOf(volume: LogicalVolume, path: readonly LogicalVolume[] = []): Promise<VolumeLayer> {
    const known = this.#layers.get(volume);
    if (known !== undefined) return known;
    const layer = this.layerOver(volume, await this.segmentsOf(volume, path));
    this.#layers.set(volume, layer);
    return layer;
  }

  /** The segments of a volume. Throws where they cannot be had, with the reason. */
  async segmentsOf(volume: LogicalVolume, path: readonly LogicalVolume[] = []): Promise<MappedSegment[]> {
    const name = this.nameOf(volume);
    if (path.length >= DEPTH_MAX) throw notOpened(name, "is made of too many volumes in one another");
    const refusal = refusalOf(volume);
    if (refusal !== null) throw new CevError(refusal.code, `${name} cannot be opened: it ${refusal.reason}`);
    const lack = this.missing.of(volume);
    if (lack !== null) throw lacking(name, lack);
    const { extentSize } = this.parts.group;
    const below = [...path, volume];
    const segments: MappedSegment[] = [];
    for (const segment of volume.segments) {
      const { areas, stripeSize } = await this.#areasOf(volume, segment, below);
      segments.push({
        start: segment.startExtent * extentSize,
        length: segment.extentCount * extentSize,
        areas,
        stripeSize,
      });
    }
    checkSegments(name, segments, this.parts.names);
    return segments;
  }

  /** A layer of these segments in the name of a volume. */
  layerOver(
    volume: LogicalVolume,
    segments: readonly MappedSegment[],
    isReadOnly: boolean = this.isReadOnly,
  ): VolumeLayer {
    const { group, claimant, lowers, isForced } = this.parts;
    return new VolumeLayer({
      name: this.nameOf(volume),
      segments: new SegmentMap(segments),
      isReadOnly,
      claimant,
      description: {
        options: { group: group.uuid, volumes: [shownName(volume)], ...(isForced ? { force: true } : {}) },
        lowers,
      },
    });
  }

  /** A volume as an engine stands on it. */
  async engineLower(volume: LogicalVolume, path: readonly LogicalVolume[]): Promise<EngineLower> {
    return this.previewed(this.nameOf(volume), (tree) => tree.layerOf(volume, path));
  }

  /** A layer made twice: as it will be used, and to be looked at before. */
  async previewed(name: string, make: (tree: VolumeTree) => Promise<Layer>): Promise<EngineLower> {
    const layer = await make(this);
    return { name, layer, preview: this.preview === null ? layer : await make(this.preview) };
  }

  /** One run of extents. */
  async areaOf(area: Area, path: readonly LogicalVolume[]): Promise<MappedArea> {
    const { extentSize } = this.parts.group;
    if (area.kind === "logical")
      return {
        lower: await this.layerOf(this.volume(area.volume), path),
        start: area.startExtent * extentSize,
      };
    const { name, dataOffset } = area.physicalVolume;
    const lower = this.parts.physical.get(name);
    assert(lower !== undefined, "volumes that lack something were refused");
    return { lower, start: dataOffset + area.startExtent * extentSize };
  }

  async #areasOf(
    volume: LogicalVolume,
    segment: Segment,
    path: readonly LogicalVolume[],
  ): Promise<SegmentAreas> {
    const { mapping, startExtent, extentCount } = segment;
    const { extentSize } = this.parts.group;
    const whole = (lower: Layer): SegmentAreas => ({
      areas: [{ lower, start: 0 }],
      stripeSize: 0,
    });
    switch (mapping.kind) {
      case "striped": {
        const areas: MappedArea[] = [];
        for (const area of mapping.areas) areas.push(await this.areaOf(area, path));
        return { areas, stripeSize: mapping.stripeSize };
      }
      case "error":
        return whole(new ErrorLayer(extentCount * extentSize));
      case "zero":
        return whole(new ZeroLayer(extentCount * extentSize));
      case "mirror":
        return mirrorLayer(this, volume, { segment, mapping, path });
      case "raid":
        return raidLayer(this, volume, { segment, mapping, path });
      case "snapshot":
        return whole((await this.snapshots.snapshot(volume, mapping, path)).layer);
      case "thin":
        return whole((await this.thin.volume(volume, mapping, path)).layer);
      case "thin-pool":
        throw new CevError(
          "CEV_NOT_SUPPORTED",
          `${this.nameOf(volume)} cannot be opened: it is a thin pool`,
          {
            hint: `open the thin volumes in it, or ${mapping.data} and ${mapping.metadata} by their names`,
          },
        );
      case "unknown":
        throw notOpened(this.nameOf(volume), `${mapping.reason} at extent ${startExtent}`);
    }
  }
}

function lacking(name: string, { uuids, isPartial }: Lack): CevError {
  const are = uuids.length === 1 ? "is" : "are";
  return new CevError(
    "CEV_DEGRADED",
    `${name} cannot be opened: it ${isPartial ? "is partial, and also" : "lies"} on ${uuids.join(", ")}, ` +
      `which ${are} missing; add what is missing`,
  );
}
