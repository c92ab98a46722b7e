import { X509Certificate } from "node:crypto";
import type { CertificateSet } from "./credentials.ts";

/**
 * What is wrong with the time of a server's certificates, in words: clients refuse those that have expired or are not valid yet, and
 * tell whoever runs the server nothing of it.
 */
export function timeTroubles({ ca, certificate }: CertificateSet, nowMs: number): readonly string[] {
  return [
    troubleOf(certificate, "the server's certificate", nowMs),
    troubleOf(ca, "the certificate of the authority", nowMs),
  ].filter((each) => each !== null);
}

function troubleOf(pem: string | Uint8Array | undefined, what: string, nowMs: number): string | null {
  const certificate = pem === undefined ? null : parse(pem);
  if (certificate === null) return null;
  const { subject, validFrom, validTo } = certificate;
  const who = `${what} (${subject.replaceAll("\n", ",")})`;
  const [fromMs, toMs] = [Date.parse(validFrom), Date.parse(validTo)];
  if (nowMs < fromMs) return `${who} is not valid before ${new Date(fromMs).toISOString()}`;
  if (nowMs > toMs) return `${who} was valid until ${new Date(toMs).toISOString()}`;
  return null;
}

/** Null for what is no certificate: whoever uses it says so. */
function parse(pem: string | Uint8Array): X509Certificate | null {
  try {
    return new X509Certificate(pem);
  } catch {
    return null;
  }
}
