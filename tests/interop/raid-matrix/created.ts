import { environmentFrom } from "@cev/core";
import { createArray, decodeSuperblock, levelByName, planCreate } from "@cev/raid";
import type { CreateOptions, Superblock } from "@cev/raid";
import type { ArrayCase } from "./cases.ts";
import { CONTENT, contentStart } from "./content.ts";
import { ImageLayer } from "./image-layer.ts";
import { recipeOf } from "./recipe.ts";

const KIB = 1024;
/** What the oracle is called: `mdadm --create` puts it before the name. */
const HOST = "oracle";

const environment = environmentFrom(globalThis);

/** Has cev make the array; the bytes of its members, by index. They are full of garbage before, where that is allowed. */
export async function createImages(array: ArrayCase): Promise<Uint8Array[]> {
  const { sizes, isAssumedClean, firstSize } = recipeOf(array);
  const images = sizes.map((size, index) => {
    if (isAssumedClean) return new Uint8Array(size);
    const start = (contentStart(array.id) + index * 1_000_003) % (CONTENT.length - size);
    return CONTENT.slice(start, start + size);
  });
  await createArray({
    ...createOptions(array),
    ...(firstSize === null ? {} : { size: firstSize }),
    environment,
    members: images.map((bytes, index) => ({ name: `member ${index}`, layer: new ImageLayer(bytes) })),
  });
  return images;
}

/** What cev would have made otherwise than mdadm did, by the superblocks of the members; one line each. */
export function creationFailures(array: ArrayCase, made: readonly Superblock[]): string[] {
  const { sizes, isAssumedClean } = recipeOf(array);
  const members = sizes.map((size, index) => ({ name: `member ${index}`, size }));
  const plan = planCreate({ ...createOptions(array), members }, environment);
  // mdadm makes the last member of a RAID4 or RAID5 a spare, and has it rebuilt: it gets another number.
  const isRebuilt = !isAssumedClean && (array.level === "4" || array.level === "5");
  return plan.devices.flatMap(({ superblock, header, name, size }, index) => {
    const decoded = decodeSuperblock(header.bytes, {
      source: name,
      deviceSize: size,
      version: superblock.version,
      byteOffset: header.offset,
    });
    const mdadm = fixedFields(made[index]!, isRebuilt);
    return Object.entries(fixedFields(decoded, isRebuilt))
      .filter(([field, value]) => mdadm[field] !== value)
      .map(([field, value]) => `${name}: mdadm makes it with ${field} ${mdadm[field]}, cev with ${value}`);
  });
}

/** What does not change while an array is used. */
function fixedFields(
  superblock: Superblock,
  isRebuilt: boolean,
): { readonly [field: string]: string | number } {
  const { version, features, arrayName, level, layout, sizeSectors, chunkSectors, memberCount } = superblock;
  const { bitmapOffsetSectors, dataOffsetSectors, dataSizeSectors, superOffsetSectors } = superblock;
  const { badBlockSectors, badBlockOffsetSectors, badBlockShift, deviceNumber, deviceFlags } = superblock;
  return {
    version,
    features,
    arrayName,
    level,
    layout,
    sizeSectors,
    chunkSectors,
    memberCount,
    bitmapOffsetSectors,
    dataOffsetSectors,
    dataSizeSectors,
    superOffsetSectors,
    badBlockSectors,
    badBlockOffsetSectors,
    badBlockShift,
    deviceFlags,
    ...(isRebuilt ? {} : { deviceNumber }),
  };
}

/** The same as `mdadmOptions`, for cev. */
function createOptions(array: ArrayCase): Omit<CreateOptions, "members" | "spares"> {
  const { version, chunk, layout } = array;
  const { name, bitmap, isAssumedClean } = recipeOf(array);
  const bitmapChunk = bitmap?.chunk ?? null;
  const level = levelByName(array.level);
  if (level === null) throw new Error(`there is no level ${array.level}`);
  const layoutNumber =
    layout === "equal" || layout === "unequal" || layout === "-" ? null : level.layoutNumber(layout);
  return {
    level: level.number,
    version,
    assumeClean: isAssumedClean,
    bitmap: bitmap === null ? "none" : "internal",
    ...(layoutNumber === null ? {} : { layout: layoutNumber }),
    ...(chunk === 0 ? {} : { chunkSize: chunk * KIB }),
    ...(version === "0.90" ? {} : { name, homehost: HOST }),
    ...(bitmapChunk === null ? {} : { bitmapChunkSize: bitmapChunk }),
  };
}
