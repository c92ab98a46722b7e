import { refuseUnknown } from "../known-keys.ts";
import type { Known } from "../known-keys.ts";
import type { CertificateSet, TlsServerSettings } from "../tls/credentials.ts";
import type { ExportOptions } from "./exports/export.ts";
import type { NbdServerOptions } from "./server-options.ts";

const SERVER: Known<NbdServerOptions> = {
  environment: true,
  exports: true,
  defaultExport: true,
  tls: true,
  payloadLengthMax: true,
  connectionsMax: true,
  requestsMax: true,
  bytesMax: true,
  unsentMax: true,
  handshakeTimeoutMs: true,
  optionsMax: true,
  contexts: true,
  memoryMax: true,
  messageTimeoutMs: true,
  idleTimeoutMs: true,
  busyPollUs: true,
  drainTimeoutMs: true,
  onEvent: true,
  onRequest: true,
};

const EXPORT: Known<ExportOptions> = {
  name: true,
  description: true,
  device: true,
  isReadOnly: true,
  isTlsOnly: true,
  isRotational: true,
};

const TLS: Known<TlsServerSettings> = {
  mode: true,
  certificates: true,
  pskKeys: true,
  verifiesPeer: true,
};

const CERTIFICATES: Known<CertificateSet> = {
  ca: true,
  revoked: true,
  certificate: true,
  key: true,
};

/** Throws `CEV_INVALID` where there is a setting that the server does not know, wherever in its options. */
export function checkKnown(options: NbdServerOptions): void {
  refuseUnknown(options, SERVER, "of NbdServer");
  for (const each of options.exports) refuseUnknown(each, EXPORT, `of export "${each.name}"`);
  const { tls } = options;
  if (tls === undefined) return;
  refuseUnknown(tls, TLS, "of tls");
  if (tls.certificates !== undefined) refuseUnknown(tls.certificates, CERTIFICATES, "of tls.certificates");
}
