import { CevError, isCevError } from "@cev/core";
import { JsonField } from "./json-field.ts";
import { parseJsonText } from "./json-text.ts";
import { asJsonObject } from "./json-value.ts";
import type { JsonObject } from "./json-value.ts";

/** The type of tokens that name a passphrase in the kernel's keyring. */
export const KEYRING_TOKEN = "luks2-keyring";
// Types that begin so are defined by the format itself.
const BUILT_IN = "luks2-";

/**
 * A token from its JSON text: an object with a `type` and the `keyslots` it belongs to, which are not compared with a header here. Throws
 * `CEV_INVALID` for what is none.
 */
export function parseToken(text: string): JsonObject {
  const bytes = Buffer.from(text.trim(), "utf8");
  const place = { source: "token", structure: "JSON", byteOffset: 0 };
  try {
    const node = parseJsonText(bytes, place);
    const field = new JsonField(node, { bytes, place });
    if (node.end !== bytes.length) throw field.bad("there is something behind the object");
    checkToken(field);
    return asJsonObject(field.value())!;
  } catch (error) {
    if (!isCevError(error)) throw error;
    const { field, byteOffset } = error.place;
    const where = field === undefined || field === "" ? "" : `${field} `;
    throw new CevError(
      "CEV_INVALID",
      `the token cannot be used: ${where}${error.message} (byte ${byteOffset ?? 0})`,
    );
  }
}

function checkToken(field: JsonField): void {
  const type = field.member("type").name();
  for (const keyslot of field.member("keyslots").items()) keyslot.name();
  if (!type.startsWith(BUILT_IN)) return;
  if (type !== KEYRING_TOKEN)
    throw field
      .member("type")
      .bad(`is ${JSON.stringify(type)}: types that begin with ${BUILT_IN} are the format's own`);
  field.member("key_description").name(4096);
  if (field.members().length !== 3)
    throw field.bad(
      `a token of the type ${KEYRING_TOKEN} has type, keyslots and key_description, and nothing else`,
    );
}
