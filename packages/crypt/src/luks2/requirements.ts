import type { JsonField } from "./json-field.ts";

const REENCRYPTION = /^online-reencrypt(?:-v[0-9]+)?$/;
const REENCRYPTION_KNOWN: ReadonlySet<string> = new Set([
  "online-reencrypt",
  "online-reencrypt-v2",
  "online-reencrypt-v3",
]);

const REENCRYPTING =
  "the device is in the middle of being reencrypted: finish that with the tool that began it";
/** What the known ones ask for, in words for people. None of them can be met here. */
const MEANINGS: ReadonlyMap<string, string> = new Map([
  ["offline-reencrypt", REENCRYPTING],
  ["inline-hw-tags", "the device keeps integrity tags in its sectors' own metadata, which is not known here"],
  ["opal", "the device is encrypted by its own hardware (OPAL), which is not known here"],
  ["opal-v2", "the device is encrypted by its own hardware (OPAL), which is not known here"],
]);

/** True for the requirements of a device whose encryption is being changed while it is in use, known versions and others. */
export function isReencryption(requirement: string): boolean {
  return REENCRYPTION.test(requirement);
}

/** What the header asks of whoever opens it. */
export function requirementsOf(config: JsonField): JsonField[] {
  const requirements = config.member("requirements");
  if (requirements.isMissing) return [];
  const mandatory = requirements.member("mandatory");
  return mandatory.isMissing ? [] : mandatory.items();
}

/** True where a version of reencryption under way is asked for that the format defines. */
export function hasReencryption(config: JsonField): boolean {
  return requirementsOf(config).some((field) => REENCRYPTION_KNOWN.has(field.string()));
}

/** Throws `CEV_UNKNOWN_FEATURE`, naming the requirement, when there is one. */
export function refuseRequirements(config: JsonField): void {
  for (const field of requirementsOf(config)) {
    const name = field.string();
    const meaning = isReencryption(name) ? REENCRYPTING : MEANINGS.get(name);
    throw field.unknown(
      meaning === undefined
        ? `the header asks for ${JSON.stringify(name)}, which is not known here`
        : `${meaning} (requirement ${JSON.stringify(name)})`,
    );
  }
}
