/** Where the server under test listens, and which of its exports is looked at. */
export interface ConformanceTarget {
  readonly address: { readonly path: string } | { readonly host: string; readonly port: number };
  /** Empty: the default export. */
  readonly exportName: string;
  /** How to speak TLS with it. Null: only what can be seen without TLS is checked. */
  readonly tls: ConformanceTls | null;
}

/** Certificates in PEM, or a pre-shared key. */
export interface ConformanceTls {
  /** True where the server must not be spoken to in plain: every check but those about TLS begins with STARTTLS. */
  readonly isRequired: boolean;
  readonly ca?: string | Uint8Array;
  readonly certificate?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  readonly psk?: { readonly username: string; readonly key: Uint8Array };
  /** The name in the server's certificate. */
  readonly hostname: string;
  readonly verifiesPeer: boolean;
}

/** For people. */
export function targetText({ address, exportName }: ConformanceTarget): string {
  const place = "path" in address ? address.path : `${address.host}:${address.port}`;
  return exportName === "" ? place : `${place}, export ${exportName}`;
}
