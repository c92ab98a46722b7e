import { INTERFACE_VERSION, MetadataError, Op, formatError, isCevError, readBytes, request } from "@cev/core";
import type {
  CevError,
  Device,
  Driver,
  Environment,
  Finding,
  NamedLayer,
  OpenContext,
  OpenedDevice,
  RequestTarget,
} from "@cev/core";
import { assembleGroups } from "./assemble/assemble.ts";
import type { AssembledGroup } from "./assemble/assemble.ts";
import { wantedGroups } from "./assemble/wanted-groups.ts";
import { decodeGroup } from "./model/group.ts";
import { lvmOptions, lvmOptionsSchema } from "./options.ts";
import type { LvmOptions } from "./options.ts";
import { TextCache, scanPhysicalVolume, scanPhysicalVolumes, textFault } from "./disk/scan.ts";
import type { MetadataCopy, PvScan, ScanSource } from "./disk/scan.ts";
import { dashUuid } from "./disk/uuid.ts";
import { openVolumes } from "./volumes/open-volumes.ts";

/** LVM2 volume groups: from physical volumes to logical ones. */
export const lvmDriver: Driver<LvmOptions> = {
  name: "@cev/lvm",
  interfaceVersion: INTERFACE_VERSION,
  summary: "LVM2 volume groups with volumes of every usual type",
  options: lvmOptions,
  optionsSchema: lvmOptionsSchema,
  lowers: { countMin: 1, countMax: 65_536 },
  yieldsChildren: true,
  probe,
  open,
};

async function probe(device: Device): Promise<Finding | null> {
  const scan = await scanPhysicalVolume(sourceOf(device.name, device, device.environment), new TextCache());
  if (scan === null) return null;
  const uuid = dashUuid(scan.label.uuid);
  const copy = newestOf(scan);
  const damaged = scan.areas.flatMap(({ error }) => (error === null ? [] : [formatError(error)]));
  if (copy !== null) {
    const { name, uuid: group, seqno } = copy.identity;
    return {
      summary: `LVM2 physical volume, VG ${name}`,
      group,
      details: {
        uuid,
        group: { name, uuid: group, seqno },
        damaged,
      },
      // Those of the group that carry no metadata of their own answer with their UUID as the group.
      members: membersOf(copy),
    };
  }
  return { summary: summaryWithoutCopy(scan), group: uuid, details: { uuid, group: null, damaged } };
}

function summaryWithoutCopy({ areas }: PvScan): string {
  if (areas.some(({ error }) => error !== null)) return "LVM2 physical volume, metadata damaged";
  if (areas.every(({ isIgnored }) => isIgnored)) return "LVM2 physical volume without metadata of its own";
  return "LVM2 physical volume of no group";
}

function newestOf({ areas }: PvScan): MetadataCopy | null {
  let newest: MetadataCopy | null = null;
  for (const { copy } of areas)
    if (copy !== null && (newest === null || copy.identity.seqno > newest.identity.seqno)) newest = copy;
  return newest;
}

function membersOf(copy: MetadataCopy): string[] {
  try {
    return decodeGroup(copy.identity).physicalVolumes.map((volume) => volume.uuid);
  } catch (error) {
    throw textFault(error, copy);
  }
}

async function open(context: OpenContext<LvmOptions>): Promise<readonly OpenedDevice[]> {
  const { scans, lowers } = await scanAll(context);
  const refused: CevError[] = [];
  const found = assembleGroups(
    scans,
    (problem) => context.report(problem),
    (error) => refused.push(error),
  );
  const groups = orThrow(refused, () => wantedGroups(found, context.options.group, scans));
  for (const error of refused) reportError(context, error);
  const devices: OpenedDevice[] = [];
  for (const group of groups) {
    try {
      const volumes = await openVolumes(group, { scans, lowers }, context);
      // Several groups share nothing but the call that opened them.
      const lowerIndexes =
        groups.length === 1
          ? undefined
          : group.scanIndexes.map((index) => context.lowers.indexOf(lowers[index]!));
      devices.push(...volumes.map((volume) => ({ ...volume, lowerIndexes })));
    } catch (error) {
      // A group that is left alone does not keep the others closed, unless it or its volumes were asked for.
      const isWanted = groups.length === 1 || context.options.volumes !== null;
      if (isWanted || !isCevError(error)) throw error;
      reportError(context, error);
    }
  }
  return devices;
}

/** Where no group is left, the reason why one was left out says more than that. */
function orThrow(
  refused: readonly CevError[],
  choose: () => readonly AssembledGroup[],
): readonly AssembledGroup[] {
  const [error] = refused;
  try {
    const groups = choose();
    if (groups.length > 0 || error === undefined) return groups;
  } catch (thrown) {
    if (error === undefined || !isCevError(thrown) || thrown.code !== "CEV_NOT_FOUND") throw thrown;
  }
  throw error;
}

function reportError(context: OpenContext<LvmOptions>, error: CevError): void {
  context.report({
    severity: "error",
    code: error.code,
    message: formatError(error),
    ...(error.place.source === undefined ? {} : { device: error.place.source }),
  });
}

/** Scans all lowers; one whose label is damaged is reported and left out, so that the others still open. */
async function scanAll(
  context: OpenContext<LvmOptions>,
): Promise<{ readonly scans: PvScan[]; readonly lowers: NamedLayer[] }> {
  const scans: PvScan[] = [];
  const lowers: NamedLayer[] = [];
  const errors: MetadataError[] = [];
  const found = await scanPhysicalVolumes(
    context.lowers.map(({ name, layer }) => sourceOf(name, layer, context.environment)),
  );
  for (const [index, scan] of found.entries()) {
    const lower = context.lowers[index]!;
    if (scan instanceof MetadataError) {
      errors.push(scan);
    } else if (scan === null) {
      errors.push(
        new MetadataError("there is no LVM2 label in the first four sectors", {
          source: lower.name,
          structure: "LVM2 label",
          byteOffset: 0,
        }),
      );
    } else {
      scans.push(scan);
      lowers.push(lower);
    }
  }
  if (scans.length === 0 && errors[0] !== undefined) throw errors[0];
  for (const error of errors) reportError(context, error);
  return { scans, lowers };
}

function sourceOf(name: string, target: RequestTarget, environment: Environment): ScanSource {
  return {
    name,
    size: target.limits.size,
    read: (offset, length) => readBytes(target, environment, offset, length),
    readInto: async (offset, bytes) => {
      const { logicalBlockSize, ioLengthMax } = target.limits;
      const isWhole = offset % logicalBlockSize === 0 && bytes.length % logicalBlockSize === 0;
      if (isWhole && bytes.length <= ioLengthMax)
        await request(target, environment, Op.read, offset, bytes.length, bytes);
      else bytes.set(await readBytes(target, environment, offset, bytes.length));
    },
  };
}
