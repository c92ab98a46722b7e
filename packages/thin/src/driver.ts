import { CevError, INTERFACE_VERSION, MetadataError, readBytes } from "@cev/core";
import type { Driver, Layer, NamedLayer, OpenContext, OpenedDevice } from "@cev/core";
import { lookup } from "./metadata/lookup.ts";
import { ChunkMapping } from "./metadata/mapping.ts";
import { NodeStore } from "./metadata/node-store.ts";
import { METADATA_BLOCK, decodeSuperblock } from "./metadata/superblock.ts";
import type { ThinSuperblock } from "./metadata/superblock.ts";
import { BLOCKS, DETAILS } from "./metadata/tree-node.ts";
import { THIN_OPTIONS, THIN_OPTIONS_SCHEMA } from "./options.ts";
import type { ThinOptions, ThinVolumeOption } from "./options.ts";
import { ThinLayer } from "./thin-layer.ts";

/** Volumes of a device-mapper thin pool, read-only: from the pool's metadata and data to volumes. */
export const thinDriver: Driver<ThinOptions> = {
  name: "@cev/thin",
  interfaceVersion: INTERFACE_VERSION,
  summary: "Volumes of thin pools, read-only",
  options: THIN_OPTIONS,
  optionsSchema: THIN_OPTIONS_SCHEMA,
  lowers: { countMin: 2, countMax: 65_536 },
  yieldsChildren: true,
  open,
};

/** What all volumes of a pool have in common. */
interface Pool {
  readonly superblock: ThinSuperblock;
  readonly nodes: NodeStore;
  readonly metadata: NamedLayer;
  readonly data: NamedLayer;
}

async function open(context: OpenContext<ThinOptions>): Promise<readonly OpenedDevice[]> {
  const pool = await openPool(context);
  const opened: OpenedDevice[] = [];
  for (const volume of context.options.volumes) opened.push(await openVolume(pool, volume, context));
  return opened;
}

async function openPool(context: OpenContext<ThinOptions>): Promise<Pool> {
  const { environment, options, lowers } = context;
  const [metadata, data] = lowers as readonly [NamedLayer, NamedLayer];
  const source = metadata.name;
  const blockCount = Math.floor(metadata.layer.limits.size / METADATA_BLOCK);
  if (blockCount === 0)
    throw new MetadataError("the device is too small for the metadata of a thin pool", {
      source,
      structure: "thin pool superblock",
      byteOffset: 0,
    });
  const superblock = decodeSuperblock(
    await readBytes(metadata.layer, environment, 0, METADATA_BLOCK),
    blockCount,
    source,
  );
  const { chunkSize, transactionId } = superblock;
  if (options.chunkSize !== undefined && options.chunkSize !== chunkSize)
    throw new MetadataError(`the pool has chunks of ${chunkSize} bytes, and not ${options.chunkSize}`, {
      source,
      structure: "thin pool superblock",
      field: "data_block_size",
      byteOffset: 336,
    });
  const warn = (message: string): void =>
    context.report({
      severity: "warning",
      code: "CEV_BAD_METADATA",
      message: `${source}: ${message}`,
      device: source,
    });
  if (superblock.needsCheck)
    warn("the kernel wants the pool to be checked: run thin_check, then thin_repair");
  if (options.transactionId !== undefined && options.transactionId !== transactionId)
    warn(
      `the pool is at transaction ${transactionId}, and its group at ${options.transactionId}: a volume may be missing or too many`,
    );
  return {
    superblock,
    nodes: new NodeStore({ environment, metadata: metadata.layer, source, blockCount }),
    metadata,
    data,
  };
}

async function openVolume(
  { superblock, nodes, metadata, data }: Pool,
  volume: ThinVolumeOption,
  { lowers }: OpenContext<ThinOptions>,
): Promise<OpenedDevice> {
  const { name, deviceId, size, externalOrigin } = volume;
  const { chunkSize } = superblock;
  const root = await lookup(nodes, superblock.mappingRoot, deviceId, BLOCKS);
  const mapped = await lookup(nodes, superblock.detailsRoot, deviceId, DETAILS);
  if (root === null || mapped === null)
    throw new CevError("CEV_NOT_FOUND", `the pool has no volume ${deviceId} (${name})`, {
      source: metadata.name,
      hint: "thin_dump lists those that it has",
    });
  const origin = externalOrigin === undefined ? null : originAt(lowers, externalOrigin, name);
  const mapping = new ChunkMapping(nodes, root, Math.floor(data.layer.limits.size / chunkSize));
  const layer = new ThinLayer({
    name,
    size,
    chunkSize,
    mapping,
    metadata: metadata.layer,
    data: data.layer,
    externalOrigin: origin,
    description: {
      chunkSize,
      volumes: [{ name, deviceId, size, ...(origin === null ? {} : { externalOrigin: 2 }) }],
    },
  });
  return {
    name: `thin/${name}`,
    layer,
    state: "active, read-only",
    details: { deviceId, chunkSize, mappedChunks: mapped, mappedSize: mapped * chunkSize },
  };
}

function originAt(lowers: readonly NamedLayer[], index: number, name: string): Layer {
  const lower = lowers[index];
  if (lower !== undefined) return lower.layer;
  throw new CevError(
    "CEV_INVALID",
    `${name} names device ${index} as its external origin, and there are ${lowers.length}`,
  );
}
