import { HeaderStyle, PAYLOAD_LENGTH_PORTABLE } from "../../protocol/numbers.ts";
import type { Security } from "../../tls/security.ts";
import type { SelectedContext } from "../contexts/selected.ts";
import type { Export } from "../exports/export.ts";
import type { Negotiation } from "./negotiation.ts";

/** What a handshake has agreed on. */
export interface Choice {
  readonly target: Export;
  readonly style: HeaderStyle;
  readonly contexts: readonly SelectedContext[];
  /** The longest payload that is taken, in bytes. */
  readonly payloadMax: number;
  readonly security: Security;
}

/** How a handshake ended. */
export type HandshakeResult =
  | ({ readonly kind: "transmission" } & Choice)
  /** The agreement is to be sent, and all after it is encrypted. `afterTls` makes the handshake that goes on then. */
  | { readonly kind: "startTls" }
  /** The client said goodbye; the last answer is still to be sent. */
  | { readonly kind: "aborted" }
  /** It cannot go on, and the protocol has no answer for it. */
  | { readonly kind: "refused"; readonly message: string };

/** What it would be if this export were entered now. Contexts count for the export alone for which they were selected. */
export function choose(target: Export, negotiation: Negotiation): Choice {
  const { style, selection, security } = negotiation;
  const contexts = selection?.target === target ? selection.contexts : [];
  return { target, style, contexts, security, payloadMax: payloadMaxOf(target, negotiation) };
}

/** The transmission flags that the client is told of it. */
export function flagsOf({ target, style, contexts }: Choice): number {
  return target.flags(style, contexts.length > 0);
}

/** Some old clients, which were told nothing of sizes, send more than every server has to bear. They get it, unless it was set otherwise. */
function payloadMaxOf(target: Export, { style, sizesToldOf }: Negotiation): number {
  const { payloadMax } = target.blockSizes;
  const isTold = sizesToldOf === target || style === HeaderStyle.extended;
  return isTold || payloadMax !== PAYLOAD_LENGTH_PORTABLE ? payloadMax : 2 * PAYLOAD_LENGTH_PORTABLE;
}
