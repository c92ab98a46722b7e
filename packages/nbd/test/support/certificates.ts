import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";

/** Whether this machine has what makes certificates. */
export function hasOpenssl(): boolean {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function openssl(folder: string, ...words: readonly string[]): void {
  execFileSync("openssl", words, { cwd: folder, stdio: "ignore" });
}

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** An authority: `ca-cert.pem` and `ca-key.pem`, or other names. */
export function makeAuthority(folder: string, name = "ca"): void {
  openssl(
    folder,
    ...["req", "-x509", ...NEW_KEY, "-keyout", `${name}-key.pem`, "-out", `${name}-cert.pem`],
    ...["-days", "30", "-subj", `/CN=${name} of a test`, "-addext", "basicConstraints=critical,CA:TRUE"],
  );
}

/** A certificate that an authority has signed: `<name>-cert.pem` and `<name>-key.pem`. */
export function makeCertificate(
  folder: string,
  name: string,
  options: { readonly authority?: string; readonly purpose?: string; readonly isExpired?: boolean } = {},
): void {
  const { authority = "ca", purpose = "serverAuth,clientAuth", isExpired = false } = options;
  const lines = ["subjectAltName=DNS:localhost", "basicConstraints=CA:FALSE", `extendedKeyUsage=${purpose}`];
  writeFileSync(join(folder, `${name}.ext`), lines.join("\n"));
  openssl(
    folder,
    ...["req", ...NEW_KEY, "-keyout", `${name}-key.pem`, "-out", `${name}.csr`, "-subj", `/CN=${name}`],
  );
  openssl(
    folder,
    ...[
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-CA",
      `${authority}-cert.pem`,
      "-CAkey",
      `${authority}-key.pem`,
    ],
    ...["-CAcreateserial", "-out", `${name}-cert.pem`, "-extfile", `${name}.ext`],
    ...["-days", isExpired ? "-1" : "30"],
  );
}

/** A certificate that nobody has signed but itself. */
export function makeSelfSigned(folder: string, name: string): void {
  openssl(
    folder,
    ...["req", "-x509", ...NEW_KEY, "-keyout", `${name}-key.pem`, "-out", `${name}-cert.pem`],
    ...["-days", "30", "-subj", `/CN=${name}`, "-addext", "subjectAltName=DNS:localhost"],
  );
}

/** The key of `name` behind a passphrase: `<locked>-key.pem`. */
export function lockKey(folder: string, name: string, locked: string): void {
  openssl(
    folder,
    ...["pkcs8", "-topk8", "-in", `${name}-key.pem`, "-out", `${locked}-key.pem`, "-passout", "pass:x"],
  );
}
