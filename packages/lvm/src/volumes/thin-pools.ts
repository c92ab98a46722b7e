import { CevError, isCevError } from "@cev/core";
import type { OpenedDevice } from "@cev/core";
import type { LogicalVolume } from "../model/group.ts";
import type { ThinMapping, ThinPoolMapping } from "../model/mappings.ts";
import { notOpened } from "./check-segments.ts";
import { openEngine } from "./engine.ts";
import type { EngineLower } from "./engine.ts";
import type { VolumeTree } from "./volume-tree.ts";

/** Chunks of a pool are made of so many bytes. */
const CHUNK_UNIT = 65_536;

/** A thin volume, with what it says of itself. */
interface Thin {
  readonly volume: LogicalVolume;
  readonly mapping: ThinMapping;
}

/** Thin volumes by their pools. They are read, not written: so all that they stand on comes from a tree that writes nothing. */
export class ThinPools {
  readonly #tree: VolumeTree;
  readonly #devices = new Map<LogicalVolume, OpenedDevice>();
  readonly #asked = new Set<string>();

  constructor(tree: VolumeTree) {
    this.#tree = tree;
  }

  /** The device of a thin volume; those of its pool that are wanted are opened with it. */
  async volume(
    volume: LogicalVolume,
    mapping: ThinMapping,
    path: readonly LogicalVolume[],
  ): Promise<OpenedDevice> {
    const tree = this.#tree;
    if (tree.preview !== null) {
      const device = await tree.preview.thin.volume(volume, mapping, path);
      tree.note(volume, device);
      return device;
    }
    if (mapping.merge !== null)
      throw new CevError(
        "CEV_UNKNOWN_FEATURE",
        `${tree.nameOf(volume)} cannot be opened: it is to be merged into ${mapping.merge}; let LVM2 finish that`,
      );
    if (!this.#asked.has(mapping.pool)) {
      this.#asked.add(mapping.pool);
      await this.#openTogether(this.#wantedOf(mapping.pool), mapping.pool, path);
    }
    if (!this.#devices.has(volume)) await this.#open([{ volume, mapping }], path);
    const device = this.#devices.get(volume)!;
    tree.note(volume, device);
    return device;
  }

  /** All at once, so that what they share is read and kept once. Where that fails, each is tried by itself, and says why. */
  async #openTogether(thins: readonly Thin[], pool: string, path: readonly LogicalVolume[]): Promise<void> {
    if (thins.length < 2) return;
    try {
      await this.#open(thins, path);
    } catch (error) {
      if (!isCevError(error)) throw error;
      this.#tree.parts.report({
        severity: "warning",
        code: error.code,
        message: `the volumes of the thin pool ${pool} are opened one by one: ${error.message}`,
      });
    }
  }

  async #open(thins: readonly Thin[], path: readonly LogicalVolume[]): Promise<void> {
    const tree = this.#tree;
    const [{ volume, mapping }] = thins as [Thin];
    const pool = tree.volume(mapping.pool);
    const { chunkSize, metadata, data } = poolMapping(tree, pool, volume);
    const below = [...path, pool];
    const lowers: EngineLower[] = [
      await tree.engineLower(tree.volume(metadata), below),
      await tree.engineLower(tree.volume(data), below),
    ];
    const origins = new Map<string, number>();
    for (const thin of thins) {
      const name = thin.mapping.externalOrigin;
      if (name === null || origins.has(name)) continue;
      origins.set(name, lowers.length);
      lowers.push(await tree.engineLower(tree.volume(name), [...path, thin.volume]));
    }
    const devices = await openEngine(tree.parts, {
      driver: "@cev/thin",
      what: thins.length === 1 ? tree.nameOf(volume) : tree.nameOf(pool),
      options: {
        chunkSize,
        volumes: thins.map((thin) => ({
          name: thin.volume.name,
          deviceId: thin.mapping.deviceId,
          size: thin.volume.extentCount * tree.parts.group.extentSize,
          ...(thin.mapping.externalOrigin === null
            ? {}
            : { externalOrigin: origins.get(thin.mapping.externalOrigin)! }),
        })),
      },
      lowers,
      deviceCount: thins.length,
    });
    thins.forEach((thin, index) => this.#devices.set(thin.volume, devices[index]!));
  }

  #wantedOf(pool: string): Thin[] {
    const { group } = this.#tree.parts;
    return group.logicalVolumes.flatMap((volume): Thin[] => {
      const mapping = volume.segments[0]?.mapping;
      const isOfPool = mapping?.kind === "thin" && mapping.pool === pool && mapping.merge === null;
      return isOfPool && this.#tree.isWanted(volume) ? [{ volume, mapping }] : [];
    });
  }
}

function poolMapping(tree: VolumeTree, pool: LogicalVolume, user: LogicalVolume): ThinPoolMapping {
  const mapping = pool.segments[0]?.mapping;
  if (mapping?.kind !== "thin-pool" || pool.segments.length !== 1)
    throw notOpened(tree.nameOf(user), `lies in ${pool.name}, which is not a thin pool`);
  if (mapping.chunkSize % CHUNK_UNIT !== 0)
    throw notOpened(
      tree.nameOf(user),
      `lies in ${pool.name}, which has chunks of ${mapping.chunkSize} bytes, not of a multiple of ${CHUNK_UNIT}`,
    );
  return mapping;
}
