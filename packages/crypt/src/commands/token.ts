import { CevError } from "@cev/core";
import type { Layer } from "@cev/core";
import { headerSourceOf } from "../header/header-device.ts";
import { luksVersionAtStart, readLuks2Copies } from "../luks2/copies.ts";
import { bindKeyslot, freeNumber, listOf } from "../luks2/edit-json.ts";
import { jsonObjectOf, writeJson } from "../luks2/json-value.ts";
import type { JsonObject } from "../luks2/json-value.ts";
import { IDS_END } from "../luks2/layout.ts";
import { KEYRING_TOKEN, parseToken } from "../luks2/token.ts";
import { invalid } from "./command.ts";
import type { CommandOptions } from "./command.ts";
import { noHeader } from "./edit-header.ts";
import { editLuks2, onlyLuks2 } from "./edit-luks2.ts";

type Context = Pick<CommandOptions, "environment" | "name">;

/** Settings of `tokenImport`. */
export interface TokenImportOptions extends Context {
  /** The token as JSON: an object with `type` and `keyslots`, and what whoever reads it needs. */
  readonly json: string;
  /** Its number; by default the first free one. */
  readonly id?: number;
  /** Keyslots it belongs to, beside those in its JSON. */
  readonly keyslots?: readonly number[];
  /** A token of that number may be replaced. Default false. */
  readonly replace?: boolean;
}

/** Settings of `tokenAddKeyring`. */
export interface TokenAddKeyringOptions extends Context {
  /** Of the key in the kernel's keyring. */
  readonly keyDescription: string;
  readonly id?: number;
  /** Keyslots it belongs to. Default: all. */
  readonly keyslots?: readonly number[];
  readonly replace?: boolean;
}

/** A token of a device. */
export interface TokenOptions extends Context {
  readonly id: number;
}

const WHAT = "tokens";

/** Enters a token in a LUKS2 header and returns its number. Throws `CEV_INVALID` for what is no token, or a number that is taken. */
export async function tokenImport(lower: Layer, options: TokenImportOptions): Promise<number> {
  const token = parseToken(options.json);
  return enter(lower, "tokenImport", options, (json) => {
    for (const id of options.keyslots ?? []) bindKeyslot(token, id, true);
    checkKeyslots(json, token);
    return token;
  });
}

/** Enters a token that names a passphrase in the kernel's keyring, as `cryptsetup token add` does. Returns its number. */
export async function tokenAddKeyring(lower: Layer, options: TokenAddKeyringOptions): Promise<number> {
  const { keyDescription, keyslots } = options;
  return enter(lower, "tokenAddKeyring", options, (json) => {
    const bound = keyslots?.map(String) ?? Object.keys(listOf(json, "keyslots"));
    const token = { type: KEYRING_TOKEN, keyslots: bound, key_description: keyDescription };
    checkKeyslots(json, token);
    return parseToken(JSON.stringify(token));
  });
}

/** The JSON text of a token. Throws `CEV_NOT_FOUND` when there is none of that number. */
export async function tokenExport(lower: Layer, { environment, name, id }: TokenOptions): Promise<string> {
  const source = headerSourceOf(lower, environment, name);
  if ((await luksVersionAtStart(source)) === 1) throw onlyLuks2(WHAT, source.name);
  const copies = await readLuks2Copies(source);
  if (copies === null) throw noHeader(source.name);
  return writeJson(existing(jsonObjectOf(copies.root), id, source.name));
}

/** Takes a token out. The keyslots it belongs to stay. Throws `CEV_NOT_FOUND` when there is none of that number. */
export async function tokenRemove(lower: Layer, options: TokenOptions): Promise<void> {
  await editLuks2(lower, "tokenRemove", { ...options, what: WHAT }, (editor) =>
    editor.update((json) => {
      existing(json, options.id, options.name ?? lower.name);
      Reflect.deleteProperty(listOf(json, "tokens"), options.id);
    }),
  );
}

/** Takes a keyslot out of a token. */
export async function tokenUnassign(
  lower: Layer,
  options: TokenOptions & { readonly keyslot: number },
): Promise<void> {
  await editLuks2(lower, "tokenUnassign", { ...options, what: WHAT }, (editor) =>
    editor.update((json) => {
      const token = existing(json, options.id, options.name ?? lower.name);
      const { keyslots } = token;
      if (!Array.isArray(keyslots) || !keyslots.includes(String(options.keyslot)))
        throw invalid(`token ${options.id} does not belong to keyslot ${options.keyslot}`);
      bindKeyslot(token, options.keyslot, false);
    }),
  );
}

async function enter(
  lower: Layer,
  command: string,
  options: Context & { readonly id?: number; readonly replace?: boolean },
  make: (json: JsonObject) => JsonObject,
): Promise<number> {
  return editLuks2(lower, command, { ...options, what: WHAT }, async (editor) => {
    let id = -1;
    await editor.update((json) => {
      const tokens = listOf(json, "tokens");
      id = placeToken(tokens, options.id, options.replace ?? false);
      tokens[id] = make(json);
    });
    return id;
  });
}

function placeToken(tokens: JsonObject, wanted: number | undefined, canReplace: boolean): number {
  if (wanted === undefined) {
    const free = freeNumber(tokens, IDS_END);
    if (free !== null) return free;
    throw new CevError("CEV_NO_SPACE", `all ${IDS_END} tokens are in use`, { hint: "remove one" });
  }
  if (!Number.isInteger(wanted) || wanted < 0 || wanted >= IDS_END)
    throw invalid(`tokens are numbered from 0 to ${IDS_END - 1}, not ${wanted}`);
  if (Object.hasOwn(tokens, wanted) && !canReplace) throw invalid(`token ${wanted} is in use`);
  return wanted;
}

function checkKeyslots(json: JsonObject, token: JsonObject): void {
  const { keyslots } = token;
  for (const name of Array.isArray(keyslots) ? keyslots : [])
    if (typeof name !== "string" || !Object.hasOwn(listOf(json, "keyslots"), name))
      throw invalid(`there is no keyslot ${typeof name === "string" ? name : ""}`);
}

function existing(json: JsonObject, id: number, source: string): JsonObject {
  const tokens = listOf(json, "tokens") as Record<string, JsonObject>;
  const token = Object.hasOwn(tokens, id) ? tokens[id] : undefined;
  if (token !== undefined) return token;
  throw new CevError("CEV_NOT_FOUND", `there is no token ${id}`, { source });
}
