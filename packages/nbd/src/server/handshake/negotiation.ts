import { HeaderStyle } from "../../protocol/numbers.ts";

/** How well a connection is protected. */
export type Security =
  | { readonly kind: "plain" }
  | {
      readonly kind: "tls";
      /** As the library calls them: "TLSv1.3", "TLS_AES_256_GCM_SHA384". */
      readonly protocol: string;
      readonly cipher: string;
      /** Of a shared key; null: there was none. */
      readonly username: string | null;
      /** Of the client's certificate, checked; null: it gave none. */
      readonly subject: string | null;
    };

/** Whether clients may, have to, or cannot go over to TLS. */
export type TlsMode = "off" | "optional" | "required";

/** What the first bytes of a client have settled. */
export interface ClientTerms {
  /** It understands answers to options. */
  readonly isFixedNewstyle: boolean;
  /** It wants the zeroes behind the answer to `exportName`. */
  readonly sendsZeroes: boolean;
}

/** What the options of a client have changed so far. TLS starts a new one: nothing that was said in plain survives. */
export class Negotiation {
  readonly terms: ClientTerms;
  readonly security: Security;
  style: HeaderStyle = HeaderStyle.simple;

  constructor(terms: ClientTerms, security: Security) {
    this.terms = terms;
    this.security = security;
  }
}
