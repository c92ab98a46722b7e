import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { CevError } from "@cev/core";
import { formatNbdUri, parseNbdUri } from "@cev/nbd";
import type { NbdUri } from "@cev/nbd";
import { isUri } from "@cev/stack";
import type { DeviceEntry } from "@cev/stack";

/** The same text for the same device, whatever word names it: a whole path, or a URI without login names and files of keys. */
export function placeOf(word: string): string {
  const uri = uriOf(word);
  if (uri !== null) return formatNbdUri({ ...wholeUri(uri), username: null, tls: {} });
  return isUri(word) ? word : resolve(word);
}

/** The word as it is understood in every folder. */
export function wholeWord(word: string): string {
  const uri = uriOf(word);
  if (uri !== null) return formatNbdUri(wholeUri(uri));
  return isUri(word) ? word : resolve(word);
}

/** True where there is such a file, and for a URI: whether its server is there is found out by asking it. */
export const isThere = (word: string): boolean => isUri(word) || existsSync(word);

/** How a stack file says that a device is this file, or the export that a URI names. */
export function entryOf(word: string): DeviceEntry {
  if (!isUri(word)) return { driver: "@cev/hw-file", path: word };
  if (uriOf(word) !== null) return { driver: "@cev/nbd", uri: word };
  throw new CevError("CEV_NOT_SUPPORTED", "no driver opens such a URI", {
    source: word,
    hint: "name image files, or exports of NBD servers: nbd://HOST/NAME or nbd+unix:///NAME?socket=PATH",
  });
}

/** Null: it is no URI of NBD, or one that makes no sense, as whoever opens it says. */
function uriOf(word: string): NbdUri | null {
  if (!isUri(word)) return null;
  try {
    return parseNbdUri(word);
  } catch {
    return null;
  }
}

function wholeUri(uri: NbdUri): NbdUri {
  const { certificates, pskFile } = uri.tls;
  const isFile = "path" in uri.address && !uri.address.path.startsWith("\0");
  return {
    ...uri,
    address: isFile && "path" in uri.address ? { path: resolve(uri.address.path) } : uri.address,
    tls: {
      ...uri.tls,
      ...(certificates === undefined ? {} : { certificates: resolve(certificates) }),
      ...(pskFile === undefined ? {} : { pskFile: resolve(pskFile) }),
    },
  };
}
