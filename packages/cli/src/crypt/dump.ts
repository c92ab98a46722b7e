import { luksDump, luksVolumeKey } from "@cev/crypt";
import type { LuksDump } from "@cev/crypt";
import type { Layer, Problem } from "@cev/core";
import { writeFile } from "node:fs/promises";
import { ExitStatus } from "../exit-status.ts";
import { hostError } from "../host-error.ts";
import { complain, say } from "../output.ts";
import { UsageError } from "../usage-error.ts";
import { confirm } from "./confirm.ts";
import type { KeyOptions } from "./crypt-options.ts";
import { luks1Text } from "./dump-luks1.ts";
import { luks2Text } from "./dump-luks2.ts";
import { hexLines, jsonForTerminal, printable } from "./dump-words.ts";
import { withoutUndefined } from "./without-undefined.ts";
import { parseWhole } from "./parse.ts";
import { readExisting } from "./read-keys.ts";
import { onHeader } from "./session.ts";
import type { Common, Session } from "./session.ts";

export interface DumpOptions extends KeyOptions {
  readonly dumpJsonMetadata?: boolean;
  readonly dumpVolumeKey?: boolean;
  readonly dumpMasterKey?: boolean;
  readonly volumeKeyFile?: string;
  readonly masterKeyFile?: string;
  readonly unbound?: boolean;
  readonly keySlot?: string;
}

const SECRET_MODE = 0o600;
const HEX_LINE = 16;
const SECTOR = 512;

/** `cev crypt luksDump`: all that the header says. */
export async function dump(word: string, options: DumpOptions): Promise<ExitStatus> {
  if (options.unbound === true && options.keySlot === undefined)
    throw new UsageError("--unbound needs --key-slot, whose key is to be dumped");
  const isKeyWanted =
    options.dumpVolumeKey === true || options.dumpMasterKey === true || options.unbound === true;
  await onHeader(word, options, true, async (lower, session, common) => {
    const found = await luksDump(lower, common);
    if (isKeyWanted) return dumpKey(lower, found, session, common, word, options);
    if (options.dumpJsonMetadata === true) {
      if (found.version === 1)
        throw new UsageError("a luks1 header has no JSON: leave --dump-json-metadata out");
      return say(jsonForTerminal(found.jsonText));
    }
    if (options.json === true) return say(jsonText(found));
    for (const line of textOf(word, found)) say(line);
    if (found.version === 2 && found.problem !== null) complain(`warning: ${found.problem}`);
  });
  return ExitStatus.done;
}

const textOf = (device: string, found: LuksDump): string[] =>
  found.version === 1 ? luks1Text(device, found) : luks2Text(found);

/** The JSON area itself has an option of its own. */
function jsonText(found: LuksDump): string {
  if (found.version === 1) return JSON.stringify({ ...found, problems: [] }, null, 2);
  const { sequenceId, problem } = found;
  const problems: Problem[] =
    problem === null ? [] : [{ severity: "warning", code: "CEV_BAD_METADATA", message: problem }];
  return JSON.stringify(
    { ...found, jsonText: undefined, problem: undefined, sequenceId: String(sequenceId), problems },
    null,
    2,
  );
}

async function dumpKey(
  lower: Layer,
  found: LuksDump,
  session: Session,
  common: Common,
  word: string,
  options: DumpOptions,
): Promise<void> {
  const { keys } = session;
  await confirm(
    keys,
    `The key that is dumped opens ${word} without a passphrase, for ever: it must not be kept unencrypted where others may get it.`,
    options,
  );
  const keyslot = parseWhole(options.keySlot, "--key-slot", { min: 0, max: 31 });
  const key = await readExisting(keys, options, `Enter passphrase for ${word}: `);
  const { volumeKey } = await luksVolumeKey(lower, {
    ...common,
    keys: [key],
    ...withoutUndefined({ keyslot }),
    allowUnbound: options.unbound === true,
  });
  const path = options.volumeKeyFile ?? options.masterKeyFile;
  try {
    if (path !== undefined) {
      await saveKey(path, volumeKey);
      return session.answer(`The key is in ${path}.`, { command: "luksDump", device: word, file: path });
    }
    const volumeKeyHex = Buffer.from(volumeKey).toString("hex");
    const text = keyText(word, found, volumeKey).join("\n");
    session.answer(text, { command: "luksDump", device: word, volumeKeyHex }, true);
  } finally {
    volumeKey.fill(0);
  }
}

async function saveKey(path: string, key: Uint8Array): Promise<void> {
  await writeFile(path, key, { flag: "wx", mode: SECRET_MODE }).catch((error: unknown) => {
    throw hostError(path, error);
  });
}

/** As cryptsetup prints it. */
function keyText(device: string, found: LuksDump, key: Uint8Array): string[] {
  const [first = "", ...rest] = hexLines(Buffer.from(key).toString("hex"), HEX_LINE);
  return [
    `LUKS header information for ${device}`,
    ...cipherText(found),
    `UUID:          \t${found.uuid}`,
    `MK bits:       \t${key.length * 8}`,
    `MK dump:\t${first}`,
    ...rest.map((line) => `\t\t${line}`),
  ];
}

function cipherText(found: LuksDump): string[] {
  const { name, mode, offset } = cipherOf(found);
  return [
    `Cipher name:   \t${printable(name)}`,
    `Cipher mode:   \t${printable(mode)}`,
    `Payload offset:\t${offset / SECTOR}`,
  ];
}

function cipherOf(found: LuksDump): {
  readonly name: string;
  readonly mode: string;
  readonly offset: number;
} {
  if (found.version === 1)
    return { name: found.cipherName, mode: found.cipherMode, offset: found.payloadOffset };
  const [first] = found.segments;
  const { encryption, offset } = { encryption: first?.encryption ?? "", offset: first?.offset ?? 0 };
  const end = encryption.indexOf("-");
  return { name: encryption.slice(0, end), mode: encryption.slice(end + 1), offset };
}
