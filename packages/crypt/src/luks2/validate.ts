import { BINARY_LENGTH, HEADER_SIZES } from "./header.ts";
import type { JsonField } from "./json-field.ts";
import { isReencryption, requirementsOf } from "./requirements.ts";
import { validateKeyslots } from "./validate-keyslots.ts";
import { validateSegments } from "./validate-segments.ts";

const KEYSLOTS_SIZE_MAX = 128 * 1024 * 1024;

/**
 * Checks what a JSON area must hold to be valid at all, whether or not it can be opened: the rules that `cryptsetup` keeps (LUKS2
 * On-Disk Format Specification, chapter 3), in its order. `areaSize`: bytes of the area. Throws `CEV_BAD_METADATA` with path and byte.
 */
export function validateMetadata(root: JsonField, areaSize: number): void {
  validateRequirements(root.member("config"));
  const keyslots = root.member("keyslots");
  for (const [, token] of root.member("tokens").numberedMembers()) {
    token.member("type").name();
    checkReferences(token.member("keyslots"), keyslots);
  }
  for (const [, digest] of root.member("digests").numberedMembers()) {
    digest.member("type").name();
    checkReferences(digest.member("keyslots"), keyslots);
    checkReferences(digest.member("segments"), root.member("segments"));
  }
  const dataOffset = validateSegments(root);
  const headerLength = validateConfig(root.member("config"), areaSize, dataOffset);
  validateKeyslots(root, 2n * BigInt(areaSize + BINARY_LENGTH), headerLength);
}

function validateRequirements(config: JsonField): void {
  const reencryption = requirementsOf(config).filter((field) => isReencryption(field.string()));
  if (reencryption.length > 1)
    throw reencryption[1]!.bad("there is more than one requirement of reencryption");
}

/** Returns the length of the header with the area for keyslots. `dataOffset`: 0 for a detached header. */
function validateConfig(config: JsonField, areaSize: number, dataOffset: bigint): bigint {
  const jsonSize = config.member("json_size");
  const keyslotsSize = config.member("keyslots_size");
  const [area, keyslots] = [jsonSize.bigDecimal(), keyslotsSize.bigDecimal()];
  if (area !== BigInt(areaSize) || !HEADER_SIZES.includes(areaSize + BINARY_LENGTH))
    throw jsonSize.bad(`the JSON area has ${areaSize} bytes`);
  if (keyslots % 4096n !== 0n) throw keyslotsSize.bad("is not a multiple of 4096");
  if (keyslots > KEYSLOTS_SIZE_MAX) throw keyslotsSize.bad(`is more than ${KEYSLOTS_SIZE_MAX}`);
  const headerLength = 2n * BigInt(areaSize + BINARY_LENGTH) + keyslots;
  if (dataOffset > 0n && dataOffset < headerLength)
    throw keyslotsSize.bad(
      `the area for keyslots would end at byte ${headerLength}, behind byte ${dataOffset} where the data begins`,
    );
  const flags = config.member("flags");
  if (!flags.isMissing) for (const flag of flags.items()) flag.string();
  return headerLength;
}

/** An array of names of others; each must exist. */
function checkReferences(field: JsonField, others: JsonField): void {
  for (const item of field.items())
    if (!others.member(item.string()).isObject) throw item.bad("there is nothing of this number");
}
