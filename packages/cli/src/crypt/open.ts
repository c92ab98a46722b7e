import { luksTestPassphrase, luksUuid } from "@cev/crypt";
import { ExitStatus } from "../exit-status.ts";
import { complain } from "../output.ts";
import { UsageError } from "../usage-error.ts";
import type { KeyOptions } from "./crypt-options.ts";
import { withoutUndefined } from "./without-undefined.ts";
import { parseWhole } from "./parse.ts";
import { readExisting, withTries } from "./read-keys.ts";
import { onHeader } from "./session.ts";

export interface OpenOptions extends KeyOptions {
  readonly testPassphrase?: boolean;
  readonly keySlot?: string;
  readonly unbound?: boolean;
  readonly tries?: string;
  readonly verbose?: boolean;
}

const TRIES_DEFAULT = 3;

/** `cev crypt open`: tests a passphrase. What cryptsetup hands to the kernel is opened by other commands, and it says by which. */
export async function openDevice(
  word: string,
  _name: string | undefined,
  options: OpenOptions,
): Promise<ExitStatus> {
  const keyslot = parseWhole(options.keySlot, "--key-slot", { min: 0, max: 31 });
  const tries = parseWhole(options.tries, "--tries", { min: 1, max: 1000 }) ?? TRIES_DEFAULT;
  await onHeader(word, options, true, async (lower, session, common) => {
    const { keys } = session;
    if (options.testPassphrase !== true) {
      const uuid = await luksUuid(lower, common);
      throw new UsageError(otherCommands(word, options.header, uuid));
    }
    const attempt = async (): Promise<number> => {
      const key = await readExisting(keys, options, `Enter passphrase for ${word}: `);
      return luksTestPassphrase(lower, {
        ...common,
        ...withoutUndefined({ keyslot }),
        keys: [key],
        // Whoever names a keyslot means it.
        allowUnbound: options.unbound === true || keyslot !== undefined,
      });
    };
    const id = await withTries(keys, { ...options, tries }, attempt, () => {
      session.endWork();
      complain("no key available with this passphrase");
    });
    session.answer(options.verbose === true ? `Key slot ${id} unlocked.` : null, {
      command: "open",
      device: word,
      isOpened: true,
      keyslot: id,
    });
  });
  return ExitStatus.done;
}

function otherCommands(word: string, header: string | undefined, uuid: string): string {
  const sources = header === undefined ? word : `${word} --header ${header}`;
  return (
    `nothing is mapped without a kernel. To have the plaintext as a device: cev serve ${sources} --device luks/${uuid} --socket ` +
    `SOCKET; as a file: cev copy ${sources} --device luks/${uuid} --to FILE. To test a passphrase only, add --test-passphrase`
  );
}
