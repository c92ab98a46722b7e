import type { JsonField } from "./json-field.ts";
import { hasReencryption, isReencryption, requirementsOf } from "./requirements.ts";

const UINT32_MAX = 0xffff_ffff;

interface Area {
  readonly field: JsonField;
  readonly offset: bigint;
  readonly end: bigint;
}

/** Checks the keyslots, of whatever type, and their areas, which lie from `areasStart` up to `areasEnd`. */
export function validateKeyslots(root: JsonField, areasStart: bigint, areasEnd: bigint): void {
  const areas: Area[] = [];
  const digested = countOf(root.member("digests"));
  let reencryptCount = 0;
  for (const [name, keyslot] of root.member("keyslots").numberedMembers()) {
    const type = keyslot.member("type").name();
    keyslot.member("key_size").integer(0, UINT32_MAX);
    areas.push(validateArea(keyslot.member("area"), areas, areasStart, areasEnd));
    if (type === "luks2") validateLuks2(keyslot, digested.get(String(Number(name))) ?? 0);
    if (type === "reencrypt") {
      validateReencrypt(keyslot);
      reencryptCount++;
    }
  }
  checkReencryptCount(root, reencryptCount);
}

function validateArea(field: JsonField, others: readonly Area[], start: bigint, end: bigint): Area {
  field.member("type").name();
  const offset = field.member("offset").bigDecimal();
  const size = field.member("size").bigDecimal();
  const area = { field, offset, end: offset + size };
  if (size === 0n) throw field.member("size").bad("is 0");
  if (offset < start || area.end > end) throw field.bad("does not lie within the area for keyslots");
  for (const other of others)
    if (offset < other.end && other.offset < area.end)
      throw field.bad("overlaps the area of another keyslot");
  return area;
}

/** How many digests each keyslot belongs to. */
function countOf(digests: JsonField): Map<string, number> {
  const counts = new Map<string, number>();
  for (const [, digest] of digests.members()) {
    const names = new Set(
      digest
        .member("keyslots")
        .items()
        .map((item) => item.string()),
    );
    for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}

function validateLuks2(field: JsonField, digestCount: number): void {
  const kdf = field.member("kdf");
  const type = kdf.member("type").name();
  // Parameters left behind by another kind of derivation are passed over, as `cryptsetup` does when it repairs them on reading.
  if (type === "pbkdf2") {
    kdf.member("hash").name();
    kdf.member("iterations").bigInteger();
    kdf.member("salt").name(4096);
  } else if (type === "argon2i" || type === "argon2id") {
    for (const name of ["time", "memory", "cpus"]) kdf.member(name).bigInteger();
    kdf.member("salt").name(4096);
  }
  const split = field.member("af");
  if (split.member("type").name() !== "luks1") throw split.member("type").bad('is not "luks1"');
  split.member("hash").name();
  split.member("stripes").bigInteger();
  const area = field.member("area");
  if (area.member("type").name() !== "raw") throw area.member("type").bad('is not "raw"');
  area.member("encryption").name();
  area.member("key_size").bigInteger();
  if (digestCount !== 1) throw field.bad(`belongs to ${digestCount} digests, not to one`);
}

function validateReencrypt(field: JsonField): void {
  const area = field.member("area");
  field.member("key_size").integer(1, 1);
  checkOneOf(field.member("mode"), ["reencrypt", "encrypt", "decrypt"]);
  checkOneOf(field.member("direction"), ["forward", "backward"]);
  const type = area.member("type").string();
  if (type === "checksum" || type === "datashift-checksum") {
    area.member("hash").name();
    const sectorSize = area.member("sector_size");
    const bytes = sectorSize.integer(512, UINT32_MAX);
    if (!Number.isInteger(Math.log2(bytes))) throw sectorSize.bad("is not a power of two");
  } else if (type === "datashift" || type === "datashift-journal") {
    const shift = area.member("shift_size");
    const bytes = shift.bigDecimal();
    if (bytes === 0n || bytes % 512n !== 0n) throw shift.bad("is not a multiple of 512");
  }
}

function checkOneOf(field: JsonField, values: readonly string[]): void {
  if (!values.includes(field.string())) throw field.bad(`is none of ${values.join(", ")}`);
}

function checkReencryptCount(root: JsonField, count: number): void {
  const config = root.member("config");
  const keyslots = root.member("keyslots");
  if (hasReencryption(config) && count === 0)
    throw keyslots.bad("the keyslot of the reencryption is missing");
  if (count > 0 && !requirementsOf(config).some((field) => isReencryption(field.string())))
    throw config.bad("there is a keyslot of a reencryption, and no requirement that says so");
  if (count > 1) throw keyslots.bad("there are keyslots of more than one reencryption");
}
