import type { Environment } from "@cev/core";
import { parseNbdUri, showNbdUri } from "../protocol/uri.ts";
import type { ListedExport } from "./client-handshake.ts";
import { resolveNbdOptions } from "./client-options.ts";
import type { NbdOptions } from "./client-options.ts";
import { tlsSettingsOf } from "./client-tls.ts";
import type { NbdLayerSettings } from "./nbd-layer.ts";
import { openList, socketDialler } from "./open-link.ts";

/**
 * What a server has, in its order, the way there as for `NbdLayer.at`: whatever export the URI names. Fails with `CEV_NOT_FOUND` (no
 * server), `CEV_ACCESS` (it does not tell, or wants TLS), `CEV_TIMED_OUT`, `CEV_PROTOCOL`, or `CEV_INVALID` for options that make
 * no sense.
 */
export async function listExports(
  environment: Environment,
  given: NbdOptions,
  settings: Omit<NbdLayerSettings, "report"> = {},
): Promise<readonly ListedExport[]> {
  const options = resolveNbdOptions(given);
  const uri = parseNbdUri(options.uri);
  const tls = await tlsSettingsOf(uri, options, settings);
  const dialler = settings.dialler ?? socketDialler(uri.address, showNbdUri(uri), tls);
  return openList(environment, dialler, { timeoutMs: options.connectTimeoutMs });
}
