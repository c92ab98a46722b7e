import { SECTOR } from "../disk/bytes.ts";
import type { ConfigScalar } from "../text/parser.ts";
import type {
  Area,
  MirrorMapping,
  RaidMapping,
  SnapshotMapping,
  StripedMapping,
  ThinMapping,
} from "./mappings.ts";
import type { Field } from "./overlay.ts";
import type { Segment } from "./segments.ts";

/** What a segment's text says beyond its extents and its type, in the order that LVM2 writes it. */
export function mappingFields({ mapping, type }: Segment): readonly Field[] {
  switch (mapping.kind) {
    case "striped":
      return stripedFields(mapping);
    case "mirror":
      return mirrorFields(mapping);
    case "raid":
      return raidFields(mapping, type);
    case "snapshot":
      return snapshotFields(mapping);
    case "thin-pool":
      return [
        { key: "metadata", value: mapping.metadata },
        { key: "pool", value: mapping.data },
        { key: "transaction_id", value: mapping.transactionId },
        { key: "chunk_size", value: mapping.chunkSize / SECTOR },
      ];
    case "thin":
      return thinFields(mapping);
    case "error":
    case "zero":
    case "unknown":
      return [];
  }
}

function stripedFields({ areas, stripeSize }: StripedMapping): Field[] {
  const size = { key: "stripe_size", value: stripeSize / SECTOR };
  return [
    { key: "stripe_count", value: areas.length },
    ...(areas.length > 1 ? [size] : []),
    { key: "stripes", value: areas.flatMap(encodeArea) },
  ];
}

function mirrorFields({ images, log, regionSize, extentsMoved }: MirrorMapping): Field[] {
  return [
    { key: "mirror_count", value: images.length },
    { key: "extents_moved", value: extentsMoved ?? -1, absent: -1 },
    { key: "mirror_log", value: log ?? "", absent: "" },
    { key: "region_size", value: regionSize / SECTOR, absent: 0 },
    { key: "mirrors", value: images.flatMap(encodeArea) },
  ];
}

function raidFields({ members, stripeSize, regionSize, copyCount }: RaidMapping, type: string): Field[] {
  const size = { key: "stripe_size", value: stripeSize / SECTOR, absent: 0 };
  const names = members.flatMap(({ meta, data }) => (meta === null ? [data] : [meta, data]));
  if (isRaid0(type))
    return [
      { key: "stripe_count", value: members.length },
      size,
      { key: type === "raid0" ? "raid0_lvs" : "raids", value: names },
    ];
  return [
    { key: "device_count", value: members.length },
    { key: "data_copies", value: copyCount, absent: 0 },
    { key: "region_size", value: regionSize / SECTOR, absent: 0 },
    size,
    { key: "raids", value: names },
  ];
}

/** Striped without parity: with or without volumes for superblocks. */
export function isRaid0(type: string): boolean {
  return type === "raid0" || type === "raid0_meta";
}

function snapshotFields({ chunkSize, origin, store, isMerging }: SnapshotMapping): Field[] {
  return [
    { key: "chunk_size", value: chunkSize / SECTOR },
    { key: "origin", value: origin },
    { key: "cow_store", value: isMerging ? "" : store, absent: "" },
    { key: "merging_store", value: isMerging ? store : "", absent: "" },
  ];
}

function thinFields(mapping: ThinMapping): Field[] {
  return [
    { key: "thin_pool", value: mapping.pool },
    { key: "transaction_id", value: mapping.transactionId },
    { key: "device_id", value: mapping.deviceId },
    { key: "external_origin", value: mapping.externalOrigin ?? "", absent: "" },
    { key: "origin", value: mapping.origin ?? "", absent: "" },
    { key: "merge", value: mapping.merge ?? "", absent: "" },
  ];
}

function encodeArea(area: Area): ConfigScalar[] {
  return [area.kind === "physical" ? area.physicalVolume.name : area.volume, area.startExtent];
}
