import { openTree, writeBytes } from "@cev/core";
import type { Environment, NamedLayer } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { encodeLabel, encodeMdaHeader, lvmCrc } from "@cev/lvm";

const MIB = 1 << 20;
const SECTOR = 512;
const AREA = { offset: 4096, size: 16 * MIB - 4096 };
const EXTENT_SIZE = 4 * MIB;
const EXTENTS_PER_VOLUME = 3;

/** How large a group is made. */
export interface LargeGroup {
  readonly pvCount: number;
  readonly volumeCount: number;
}

/** Physical volumes on ramdisks, each with an area of 16 MiB that holds the description of a group of linear volumes. */
export async function makeLargeGroup(
  environment: Environment,
  { pvCount, volumeCount }: LargeGroup,
): Promise<readonly NamedLayer[]> {
  const extentCount = Math.ceil((volumeCount * EXTENTS_PER_VOLUME) / pvCount);
  const size = AREA.offset + AREA.size + extentCount * EXTENT_SIZE;
  const text = new TextEncoder().encode(`${groupText(pvCount, volumeCount, extentCount, size)}\0`);
  const committed = { offset: SECTOR, size: text.length, checksum: lvmCrc(text), flags: 0 };
  const header = encodeMdaHeader({ start: AREA.offset, size: AREA.size, committed, precommitted: null });
  const padded = new Uint8Array(Math.ceil(text.length / SECTOR) * SECTOR);
  padded.set(text);
  const lowers: NamedLayer[] = [];
  for (let index = 0; index < pvCount; index++) {
    const layer = new RamdiskLayer(environment, { size });
    await openTree(layer);
    const label = encodeLabel({
      sector: 1,
      uuid: uuidOf("p", index).replaceAll("-", ""),
      deviceSize: size,
      dataAreas: [{ offset: AREA.offset + AREA.size, size: 0 }],
      metadataAreas: [AREA],
      extension: { version: 2, flags: 1, bootloaderAreas: [] },
    });
    await writeBytes(layer, environment, SECTOR, label);
    await writeBytes(layer, environment, AREA.offset, header);
    await writeBytes(layer, environment, AREA.offset + SECTOR, padded);
    lowers.push({ name: `pv${index}.img`, layer });
  }
  return lowers;
}

function groupText(pvCount: number, volumeCount: number, extentCount: number, size: number): string {
  const physical = Array.from(
    { length: pvCount },
    (_, index) => `
		pv${index} {
			id = "${uuidOf("p", index)}"
			device = "/dev/disk${index}"	# Hint only

			status = ["ALLOCATABLE"]
			flags = []
			dev_size = ${size / SECTOR}
			pe_start = ${(AREA.offset + AREA.size) / SECTOR}
			pe_count = ${extentCount}
		}
`,
  );
  const logical = Array.from({ length: volumeCount }, (_, index) => volumeText(index, pvCount));
  return `# Made by a benchmark

contents = "Text Format Volume Group"
version = 1
description = ""
creation_host = "bench"
creation_time = 1795400000

vg0 {
	id = "${uuidOf("g", 0)}"
	seqno = ${volumeCount + 1}
	format = "lvm2"			# informational
	status = ["RESIZEABLE", "READ", "WRITE"]
	flags = []
	extent_size = ${EXTENT_SIZE / SECTOR}
	max_lv = 0
	max_pv = 0
	metadata_copies = 0

	physical_volumes {
${physical.join("")}	}

	logical_volumes {
${logical.join("")}	}

}
`;
}

function volumeText(index: number, pvCount: number): string {
  const pv = index % pvCount;
  const first = Math.floor(index / pvCount) * EXTENTS_PER_VOLUME;
  return `
		volume${index} {
			id = "${uuidOf("v", index)}"
			status = ["READ", "WRITE", "VISIBLE"]
			flags = []
			creation_time = 1795400000
			creation_host = "bench"
			segment_count = 1

			segment1 {
				start_extent = 0
				extent_count = ${EXTENTS_PER_VOLUME}

				type = "striped"
				stripe_count = 1	# linear

				stripes = [
					"pv${pv}", ${first}
				]
			}
		}
`;
}

function uuidOf(letter: string, index: number): string {
  const characters = letter.repeat(24) + String(index).padStart(8, "0");
  const groups = [6, 4, 4, 4, 4, 4, 6];
  let at = 0;
  return groups.map((length) => characters.slice(at, (at += length))).join("-");
}
