import type { LuksDump } from "@cev/crypt";
import { hexLines, printable } from "./dump-words.ts";

type Luks1Dump = Extract<LuksDump, { readonly version: 1 }>;

const SECTOR = 512;
const SALT_LINE = 16;

/** A LUKS1 header in the words of `cryptsetup luksDump`. */
export function luks1Text(device: string, dump: Luks1Dump): string[] {
  const [salt = "", saltRest = ""] = hexLines(dump.digestSalt, SALT_LINE);
  return [
    `LUKS header information for ${device}`,
    "",
    `Version:       \t${dump.version}`,
    `Cipher name:   \t${printable(dump.cipherName)}`,
    `Cipher mode:   \t${printable(dump.cipherMode)}`,
    `Hash spec:     \t${printable(dump.hash)}`,
    `Payload offset:\t${dump.payloadOffset / SECTOR}`,
    `MK bits:       \t${dump.keySize * 8}`,
    `MK digest:     \t${hexLines(dump.digest, dump.digest.length)[0] ?? ""}`,
    `MK salt:       \t${salt}`,
    `               \t${saltRest}`,
    `MK iterations: \t${dump.digestIterations}`,
    `UUID:          \t${printable(dump.uuid)}`,
    "",
    ...dump.keyslots.flatMap(keyslotText),
  ];
}

function keyslotText({
  id,
  isEnabled,
  iterations,
  salt,
  offset,
  stripes,
}: Luks1Dump["keyslots"][number]): string[] {
  if (!isEnabled) return [`Key Slot ${id}: DISABLED`];
  const [first = "", rest = ""] = hexLines(salt, SALT_LINE);
  return [
    `Key Slot ${id}: ENABLED`,
    `\tIterations:         \t${iterations}`,
    `\tSalt:               \t${first}`,
    `\t                      \t${rest}`,
    `\tKey material offset:\t${offset / SECTOR}`,
    `\tAF stripes:            \t${stripes}`,
  ];
}
