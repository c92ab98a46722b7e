import { createHash } from "node:crypto";
import { closeSync, ftruncateSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import type { Environment, OpenedDevice, Problem } from "@cev/core";
import { RaidLayer, raidDriver } from "@cev/raid";
import type { RaidOptions } from "@cev/raid";
import { runOracle } from "../oracle/run-oracle.ts";
import type { OracleMode } from "../oracle/run-oracle.ts";
import type { Random } from "./random.ts";
import { ImageLayer } from "../raid-matrix/image-layer.ts";

const MIB = 1024 * 1024;
const CHUNK_SIZE = 64 * 1024;
const REGION_SIZE = 512 * 1024;

/** A kind of volume, with what `lvcreate` is told. */
export interface VolumeKind {
  /** Of the volume. */
  readonly name: string;
  readonly type: string;
  readonly memberCount: number;
  /** Of stripes; RAID1 has none. */
  readonly stripes: number;
  /** It was never active: its rmeta is zeroes. */
  readonly isFresh?: boolean;
}

const kind = (type: string, stripes: number, memberCount: number): VolumeKind => ({
  name: type,
  type,
  stripes,
  memberCount,
});

/** Every type of LVM's that dm-raid keeps. */
export const VOLUME_KINDS: readonly VolumeKind[] = [
  kind("raid1", 0, 3),
  kind("raid4", 2, 3),
  ...["ls", "la", "ra", "rs", "n"].map((layout) => kind(`raid5_${layout}`, 3, 4)),
  ...["zr", "nr", "nc", "la_6", "ra_6", "ls_6", "rs_6", "n_6"].map((layout) => kind(`raid6_${layout}`, 3, 5)),
  kind("raid10", 2, 4),
];

/** Where a range lies on one of the disks, in bytes. */
interface Place {
  readonly disk: number;
  readonly offset: number;
  readonly length: number;
}

/** A RAID volume, and where its members lie. */
export interface RaidVolume {
  readonly name: string;
  readonly kind: VolumeKind;
  readonly size: number;
  /** As the kernel read it. */
  readonly sha256: string;
  readonly members: readonly { readonly meta: Place; readonly data: Place }[];
}

/** Waits until every volume is synced and at rest. */
export const WAIT = `
settle() {
  while dmsetup status --target raid | awk '{ split($8, done, "/"); if (done[1] != done[2] || $9 != "idle") busy = 1 } END { exit !busy }'; do sleep 0.1; done
}
`;

/** Prints for each volume what the kernel makes of it once all is in order: its name, mismatches, health and hash. */
export const JUDGE = `
${WAIT}
vgchange -q -ay vg >&2
settle
volumes=$(dmsetup table --target raid | sed 's/^vg-//; s/:.*//')
for volume in $volumes; do dmsetup message vg-$volume 0 check; done
settle
for volume in $volumes; do
  echo "$volume $(dmsetup status vg-$volume | awk '{print $9, $6}') $(sha256sum </dev/vg/$volume | cut -d' ' -f1)"
done
vgchange -q -an vg >&2
`;

/** A volume group in files, with RAID volumes in it that the kernel made. */
export class RaidGroup {
  readonly directory: string = mkdtempSync(join(tmpdir(), "cev-lvm-raid-"));
  readonly disks: readonly string[];
  volumes: readonly RaidVolume[] = [];
  #output = "";

  constructor(diskCount: number, diskSize: number) {
    this.disks = Array.from({ length: diskCount }, (_, index) => join(this.directory, `pv${index}.img`));
    for (const path of this.disks) {
      const file = openSync(path, "w");
      ftruncateSync(file, diskSize);
      closeSync(file);
    }
  }

  /** Makes and fills volumes, one of each kind; `rest` is done in the end, before all are stopped. */
  static async make(kinds: readonly VolumeKind[], mode: OracleMode = "write", rest = ""): Promise<RaidGroup> {
    const memberMax = Math.max(...kinds.map(({ memberCount }) => memberCount));
    const group = new RaidGroup(memberMax, (4 + 4 * kinds.length) * MIB);
    const active = kinds.filter(({ isFresh }) => isFresh !== true);
    const result = await group.run(
      `
pvcreate -q "$@" >&2
vgcreate -q -s 1m vg "$@" >&2
${kinds.map(createCommand).join("\n")}
${WAIT}
settle
for volume in ${active.map(({ name }) => name).join(" ")}; do
  { seq -f "$volume %.0f" 1 1000000 | dd of=/dev/vg/$volume bs=1M iflag=fullblock conv=fsync status=none 2>/dev/null; } || :
  echo "sha256 $volume $(sha256sum </dev/vg/$volume | cut -d' ' -f1)"
done
lvs -a --noheadings --separator ' ' --units b --nosuffix -o lv_name,lv_size,devices vg | tr -d '[]'
${rest}
${mode === "power-cut" ? "" : "vgchange -q -an vg >&2"}`,
      mode,
    );
    group.#output = result;
    group.volumes = kinds.map((one) => volumeOf(result, one, group.disks.length));
    return group;
  }

  /** Runs a script with the disks; its output. Throws where it fails. */
  async run(script: string, mode: OracleMode = "write"): Promise<string> {
    const result = await runOracle({ script, disks: this.disks, mode });
    if (result.status !== 0) throw new Error(`the kernel's run: ${result.stderr}\n${result.stdout}`);
    return result.stdout;
  }

  /** A hash that the script printed: "sha256 NAME HASH". */
  noted(name: string): string {
    return new RegExp(`^sha256 ${name} (.*)$`, "m").exec(this.#output)![1]!;
  }

  volume(name: string): RaidVolume {
    return this.volumes.find((one) => one.name === name)!;
  }

  /** The members of a volume as they are now, each its rmeta and its rimage joined. */
  members({ members }: RaidVolume): Uint8Array[] {
    return members.map(({ meta, data }) => {
      const bytes = new Uint8Array(meta.length + data.length);
      this.#read(meta, bytes.subarray(0, meta.length));
      this.#read(data, bytes.subarray(meta.length));
      return bytes;
    });
  }

  /** Puts members back to where they lie; null: that one stays as it is. */
  put(volume: RaidVolume, images: readonly (Uint8Array | null)[]): void {
    volume.members.forEach(({ meta, data }, index) => {
      const bytes = images[index] ?? null;
      if (bytes === null) return;
      this.#write(meta, bytes.subarray(0, meta.length));
      this.#write(data, bytes.subarray(meta.length));
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  #read({ disk, offset }: Place, bytes: Uint8Array): void {
    const file = openSync(this.disks[disk]!, "r");
    readSync(file, bytes, 0, bytes.length, offset);
    closeSync(file);
  }

  #write({ disk, offset }: Place, bytes: Uint8Array): void {
    const file = openSync(this.disks[disk]!, "r+");
    writeSync(file, bytes, 0, bytes.length, offset);
    closeSync(file);
  }
}

function createCommand({ name, type, stripes, memberCount, isFresh }: VolumeKind): string {
  const shape = type === "raid1" ? `-m ${memberCount - 1} -L 2m` : `-i ${stripes} -I 64k -L ${stripes * 2}m`;
  const copies = type.startsWith("raid10") ? "-m 1" : "";
  const state = isFresh === true ? "-an -Zn -Wn" : "";
  return `lvcreate -q -y --type ${type} ${shape} ${copies} ${state} -R 512k -n ${name} vg >&2`;
}

/** What lvs prints of a volume and its parts, all of whose extents lie together: "name size /dev/ubdb(7)". */
function volumeOf(output: string, shape: VolumeKind, diskCount: number): RaidVolume {
  const { name } = shape;
  const lineOf = (pattern: string): RegExpExecArray => {
    const found = new RegExp(`^ *${pattern}`, "m").exec(output);
    if (found === null) throw new Error(`no ${pattern} in ${output}`);
    return found;
  };
  const place = (part: string, index: number): Place => {
    const [, size, letter, extent] = lineOf(
      `${name}_${part}_${index} ([0-9]+) /dev/ubd([a-p])\\(([0-9]+)\\)$`,
    );
    const disk = letter!.charCodeAt(0) - "a".charCodeAt(0);
    if (disk >= diskCount) throw new Error(`there is no disk ${letter!}`);
    // The first extent begins at 1 MiB.
    return { disk, offset: (1 + Number(extent)) * MIB, length: Number(size) };
  };
  return {
    name,
    kind: shape,
    size: Number(lineOf(`${name} ([0-9]+) `)[1]),
    sha256: shape.isFresh === true ? "" : lineOf(`sha256 ${name} (.*)$`)[1]!,
    members: Array.from({ length: shape.memberCount }, (_, index) => ({
      meta: place("rmeta", index),
      data: place("rimage", index),
    })),
  };
}

/** How a volume is opened. */
export interface OpenVolumeOptions extends Pick<RaidOptions, "degraded" | "force"> {
  readonly isReadOnly?: boolean;
  readonly environment?: Environment;
  /** A new array is not synced first. */
  readonly nosync?: boolean;
  /** Positions of members that are new among the others. */
  readonly rebuild?: readonly number[];
  /** The members serve their requests in any order. */
  readonly random?: Random;
}

/** A volume that was opened, with what was said about it. */
export interface OpenVolume {
  readonly device: Device;
  readonly layer: RaidLayer;
  readonly opened: OpenedDevice;
  readonly problems: readonly Problem[];
}

/** Opens a volume over its members by position; null: missing. */
export async function openVolume(
  { kind: { type, memberCount }, size, members }: Pick<RaidVolume, "kind" | "size" | "members">,
  images: readonly (Uint8Array | null)[],
  how: OpenVolumeOptions = {},
): Promise<OpenVolume> {
  const {
    isReadOnly = false,
    environment = environmentFrom(globalThis),
    nosync,
    rebuild,
    random = null,
    ...options
  } = how;
  const problems: Problem[] = [];
  let next = 0;
  const places = images.map((bytes) => (bytes === null ? null : next++));
  const lowers = images.flatMap((bytes, index) =>
    bytes === null ? [] : [{ name: `member${index}`, layer: new ImageLayer(bytes, random) }],
  );
  for (const { layer } of lowers) await layer.open();
  const [opened] = await raidDriver.open({
    environment,
    options: {
      ...options,
      dmRaid: {
        type,
        memberCount,
        members: places,
        regionSize: REGION_SIZE,
        metadataSize: members[0]!.meta.length,
        memberSize: members[0]!.data.length,
        size,
        ...(type === "raid1" ? {} : { chunkSize: CHUNK_SIZE }),
        ...(nosync === undefined ? {} : { nosync }),
        ...(rebuild === undefined ? {} : { rebuild }),
      },
    },
    lowers,
    keySource: { keys: [] },
    isReadOnly,
    canWriteDegraded: options.degraded ?? false,
    directory: ".",
    report: (problem) => problems.push(problem),
  });
  const { layer } = opened!;
  if (!(layer instanceof RaidLayer)) throw new Error("the driver did not open an array");
  const device = await Device.open(layer, environment, {
    isReadOnly: isReadOnly || layer.support.write === "none",
  });
  return { device, layer, opened: opened!, problems };
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
