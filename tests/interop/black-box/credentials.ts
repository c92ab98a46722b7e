import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { randomBytes } from "node:crypto";
import { output } from "../src/run.ts";

/** Makes a folder with a certificate authority, a server's and a client's certificate, by the names these projects use. */
export async function makeCertificates(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const at = (name: string): string => join(folder, name);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await output("openssl", [
    ...["req", "-x509", ...key, "-keyout", at("ca-key.pem"), "-out", at("ca-cert.pem"), "-days", "2"],
    ...["-subj", "/CN=ca", "-addext", "keyUsage=critical,keyCertSign"],
  ]);
  for (const who of ["server", "client"]) {
    await output("openssl", [
      ...["req", ...key, "-keyout", at(`${who}-key.pem`), "-out", at(`${who}.csr`), "-subj", "/CN=localhost"],
    ]);
    const usage = `subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\nextendedKeyUsage=${who}Auth\n`;
    writeFileSync(at(`${who}.ext`), usage);
    await output("openssl", [
      ...["x509", "-req", "-in", at(`${who}.csr`), "-CA", at("ca-cert.pem"), "-CAkey", at("ca-key.pem")],
      ...["-CAcreateserial", "-out", at(`${who}-cert.pem`), "-days", "2", "-extfile", at(`${who}.ext`)],
    ]);
  }
}

/** Writes a file with one user's key. */
export function makeKeys(path: string, user: string): void {
  writeFileSync(path, `${user}:${randomBytes(32).toString("hex")}\n`, { mode: 0o600 });
}
