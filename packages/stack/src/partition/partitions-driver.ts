import { INTERFACE_VERSION, MetadataError, formatError, readBytes } from "@cev/core";
import type { Details, Device, Driver, NamedLayer, OpenContext, OpenedDevice } from "@cev/core";
import * as v from "valibot";
import { readPartitionTable } from "./read-table.ts";
import type { Partition, PartitionTable, TableFault } from "./partition-table.ts";
import { WindowLayer } from "./window-layer.ts";

/** Partition tables: yields `p1`, `p2`, … of the disk below. Takes no options. */
export const partitionsDriver: Driver<object> = {
  name: "partitions",
  interfaceVersion: INTERFACE_VERSION,
  summary: "the partitions of a GPT or an MBR",
  options: v.pipe(
    v.unknown(),
    v.check((value) => !Array.isArray(value), "expected an object"),
    v.strictObject({}),
  ),
  optionsSchema: { type: "object", properties: {}, additionalProperties: false },
  lowers: { countMin: 1, countMax: 1 },
  yieldsChildren: true,

  async probe(device: Device) {
    const table = await readPartitionTable(
      (offset, length) => device.read(offset, length),
      device.size,
      device.layer.limits.logicalBlockSize,
    );
    if (table === null) return null;
    return { summary: summaryOf(table), group: null, details: detailsOf(table) };
  },

  async open(context: OpenContext<object>): Promise<readonly OpenedDevice[]> {
    const lower = context.lowers[0]!;
    const { limits } = lower.layer;
    const table = await readPartitionTable(
      (offset, length) => readBytes(lower.layer, context.environment, offset, length),
      limits.size,
      limits.logicalBlockSize,
    );
    if (table === null) {
      throw new MetadataError("there is neither a GPT nor an MBR", {
        source: lower.name,
        structure: "partition table",
        byteOffset: 0,
      });
    }
    for (const fault of table.faults) context.report(problemOf(fault, lower.name));
    const claimant = { name: `the partitions of ${lower.name}` };
    return table.partitions.flatMap((partition) => openOne(context, lower, table, partition, claimant));
  },
};

function openOne(
  context: OpenContext<unknown>,
  lower: NamedLayer,
  table: PartitionTable,
  partition: Partition,
  claimant: { readonly name: string },
): OpenedDevice[] {
  const name = `${lower.name}/p${partition.number}`;
  try {
    const { start, length } = partition;
    const layer = new WindowLayer(lower.layer, name, { start, length, claimant });
    return [{ name, layer, state: "clean", details: partitionDetails(table, partition) }];
  } catch (error) {
    context.report({
      severity: "error",
      code: "CEV_BAD_METADATA",
      message: formatError(error),
      device: name,
    });
    return [];
  }
}

function problemOf(fault: TableFault, source: string): Parameters<OpenContext<unknown>["report"]>[0] {
  const { structure, field, byteOffset, message } = fault;
  const error = new MetadataError(message, {
    source,
    structure,
    byteOffset,
    ...(field === undefined ? {} : { field }),
  });
  return {
    severity: fault.isRepaired ? "warning" : "error",
    code: error.code,
    message: formatError(error),
    device: source,
  };
}

function summaryOf({ kind, partitions }: PartitionTable): string {
  return `${kind.toUpperCase()} with ${partitions.length} ${partitions.length === 1 ? "partition" : "partitions"}`;
}

function detailsOf(table: PartitionTable): Details {
  return { kind: table.kind, uuid: table.uuid, partitionCount: table.partitions.length };
}

function partitionDetails(table: PartitionTable, partition: Partition): Details {
  const { number, start, type, uuid, label } = partition;
  return {
    table: table.kind,
    number,
    start,
    type,
    ...(uuid === null ? {} : { uuid }),
    ...(label === "" ? {} : { label }),
  };
}
