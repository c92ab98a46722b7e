import { HeaderStyle } from "../../protocol/numbers.ts";
import type { Security } from "../../tls/security.ts";
import type { Export } from "../exports/export.ts";
import type { ContextCatalog, Selection } from "../contexts/selected.ts";

/** What a server's options mean for every handshake. */
export interface HandshakeSettings {
  /** Whether clients may, have to, or cannot go over to TLS. */
  readonly tls: "off" | "optional" | "required";
  /** False: this connection is none that TLS can be started on. */
  readonly canStartTls: boolean;
  readonly contexts: ContextCatalog;
  /** A client may send so many, and some more for each export. */
  readonly optionsMax: number;
}

/** What the first bytes of a client have settled. */
export interface ClientTerms {
  /** It understands answers to options. */
  readonly isFixedNewstyle: boolean;
  /** It wants the zeroes behind the answer to `exportName`. */
  readonly wantsZeroes: boolean;
}

/** What the options of a client have changed so far. TLS starts with a new one: nothing that was said in plain survives. */
export class Negotiation {
  readonly terms: ClientTerms;
  readonly security: Security;
  style: HeaderStyle = HeaderStyle.simple;
  /** The contexts selected last, and the export they are for. */
  selection: Selection | null = null;
  /** The export whose size constraints the client was told last. */
  sizesToldOf: Export | null = null;

  constructor(terms: ClientTerms, security: Security) {
    this.terms = terms;
    this.security = security;
  }

  get isEncrypted(): boolean {
    return this.security.kind === "tls";
  }
}
