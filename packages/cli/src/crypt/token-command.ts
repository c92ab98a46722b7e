import { writeFile } from "node:fs/promises";
import { tokenAddKeyring, tokenExport, tokenImport, tokenRemove, tokenUnassign } from "@cev/crypt";
import { ExitStatus } from "../exit-status.ts";
import { hostError } from "../host-error.ts";
import { readKey } from "../keys/key-file.ts";
import { StandardInput } from "../keys/standard-input.ts";
import { say } from "../output.ts";
import { UsageError } from "../usage-error.ts";
import type { KeyOptions } from "./crypt-options.ts";
import { jsonForTerminal } from "./dump-words.ts";
import { withoutUndefined } from "./without-undefined.ts";
import { parseWhole } from "./parse.ts";
import { onHeader } from "./session.ts";

export type TokenAction = "add" | "remove" | "import" | "export" | "unassign";

export interface TokenOptions extends KeyOptions {
  readonly tokenId?: string;
  readonly keySlot?: string;
  readonly keyDescription?: string;
  readonly jsonFile?: string;
  readonly tokenReplace?: boolean;
  readonly unbound?: boolean;
}

const WANTED = "a token";
const NUMBER = { min: 0, max: 31 };

/** `cev crypt token add|remove|import|export|unassign`. */
export async function token(action: TokenAction, word: string, options: TokenOptions): Promise<ExitStatus> {
  const id = parseWhole(options.tokenId, "--token-id", NUMBER);
  const keyslot = parseWhole(options.keySlot, "--key-slot", NUMBER);
  if (["remove", "export", "unassign"].includes(action) && id === undefined)
    throw new UsageError(`token ${action} needs --token-id; cev crypt luksDump lists the tokens`);
  if (action === "unassign" && keyslot === undefined)
    throw new UsageError("token unassign needs --key-slot, which the token is taken from");
  if (action === "add" && options.keyDescription === undefined)
    throw new UsageError(
      "token add needs --key-description, under which the kernel's keyring has the passphrase",
    );
  await onHeader(word, options, action === "export", async (lower, session, common) => {
    const { signal } = session;
    const choice = {
      replace: options.tokenReplace === true,
      ...withoutUndefined({ id, keyslots: keyslot === undefined ? undefined : [keyslot] }),
    };
    const result = { command: `token ${action}`, device: word };
    switch (action) {
      case "add": {
        const number = await tokenAddKeyring(lower, {
          ...common,
          ...choice,
          keyDescription: options.keyDescription!,
        });
        return session.answer(`Token ${number} created.`, { ...result, token: number });
      }
      case "import": {
        const json = await readJson(options.jsonFile, signal);
        const number = await tokenImport(lower, { ...common, ...choice, json });
        return session.answer(`Token ${number} created.`, { ...result, token: number });
      }
      case "remove":
        await tokenRemove(lower, { ...common, id: id! });
        return session.answer(`Token ${id!} removed.`, { ...result, token: id });
      case "unassign":
        await tokenUnassign(lower, { ...common, id: id!, keyslot: keyslot! });
        return session.answer(`Token ${id!} does not stand for key slot ${keyslot!} any more.`, {
          ...result,
          token: id,
          keyslot,
        });
      case "export":
        return writeJson(options.jsonFile, await tokenExport(lower, { ...common, id: id! }));
    }
  });
  return ExitStatus.done;
}

async function readJson(path: string | undefined, signal: AbortSignal): Promise<string> {
  if (path !== undefined && path !== "-") return Buffer.from(await readKey(path, {}, WANTED)).toString();
  using input = new StandardInput(signal);
  return Buffer.from(await input.readAll({}, WANTED)).toString();
}

async function writeJson(path: string | undefined, json: string): Promise<void> {
  if (path === undefined || path === "-") return say(jsonForTerminal(json));
  // One that is there may be something else altogether.
  await writeFile(path, `${json}\n`, { flag: "wx", mode: 0o600 }).catch((error: unknown) => {
    throw hostError(path, error);
  });
}
