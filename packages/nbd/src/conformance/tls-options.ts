import type { ConnectionOptions } from "node:tls";
import type { ConformanceTls } from "./target.ts";

/** For `tls.connect`. */
export function tlsOptions(tls: ConformanceTls): ConnectionOptions {
  const { psk } = tls;
  if (psk !== undefined) {
    return {
      // There is no certificate whose name could be compared.
      checkServerIdentity: () => undefined,
      ciphers: "PSK+HIGH:TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384",
      pskCallback: () => ({ identity: psk.username, psk: psk.key }),
    };
  }
  return {
    ...(tls.ca === undefined ? {} : { ca: Buffer.from(tls.ca) }),
    ...(tls.certificate === undefined ? {} : { cert: Buffer.from(tls.certificate) }),
    ...(tls.key === undefined ? {} : { key: Buffer.from(tls.key) }),
    servername: tls.hostname,
    rejectUnauthorized: tls.verifiesPeer,
  };
}
