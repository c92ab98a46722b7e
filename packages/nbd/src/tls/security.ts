/** How a connection is protected, and who the other side has shown to be. */
export type Security =
  | { readonly kind: "plain" }
  | {
      readonly kind: "tls";
      /** Such as "TLSv1.3". */
      readonly protocol: string;
      readonly cipher: string;
      /** The name that goes with the key that both sides have; null without one. */
      readonly username: string | null;
      /** The subject of the other side's certificate, if it was checked; null without one. */
      readonly subject: string | null;
    };

/** A connection that anybody on its way can read and change. */
export const PLAIN: Security = { kind: "plain" };
