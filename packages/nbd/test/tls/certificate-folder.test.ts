import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { NbdEvent } from "../../src/server/events.ts";
import { NbdServer } from "../../src/server/server.ts";
import { readCertificateFolder } from "../../src/tls/certificate-folder.ts";
import { timeTroubles } from "../../src/tls/certificate-times.ts";
import { hasOpenssl, lockKey, makeAuthority, makeCertificate } from "../support/certificates.ts";

const NAMES = ["ca-cert.pem", "server-cert.pem", "server-key.pem"];
let made: string;
let folder: string;

beforeAll(() => {
  made = mkdtempSync(join(tmpdir(), "cev-tls-"));
  folder = mkdtempSync(join(tmpdir(), "cev-tls-"));
  if (!hasOpenssl()) return;
  makeAuthority(made);
  makeCertificate(made, "server", { purpose: "serverAuth" });
  makeCertificate(made, "client");
  makeCertificate(made, "expired", { isExpired: true });
  lockKey(made, "server", "locked");
});
afterAll(() => {
  for (const each of [made, folder]) rmSync(each, { recursive: true });
});

beforeEach(() => {
  if (!hasOpenssl()) return;
  rmSync(join(folder, "ca-crl.pem"), { force: true });
  for (const name of NAMES) copyFileSync(join(made, name), join(folder, name));
});

const bytesOf = (name: string): Buffer => readFileSync(join(made, name));
const der = (name: string): Buffer => Buffer.from(new X509Certificate(bytesOf(name)).raw);

describe.skipIf(!hasOpenssl())("a folder of certificates", () => {
  test("what can be used is read as it is", async () => {
    const { ca, certificate, key } = await readCertificateFolder(folder, "server");
    expect([ca, certificate, key]).toEqual(NAMES.map(bytesOf));
  });

  test.for<[string, string, () => string | Buffer, RegExp]>([
    ["an authority that is none", "ca-cert.pem", () => "garbage", /no certificate in PEM form/],
    ["an authority that is not PEM", "ca-cert.pem", () => der("ca-cert.pem"), /no certificate in PEM form/],
    ["a list that is none", "ca-crl.pem", () => "garbage", /no list of revoked certificates/],
    ["a certificate that is none", "server-cert.pem", () => "", /no certificate in PEM form/],
    [
      "a certificate that is not PEM",
      "server-cert.pem",
      () => der("server-cert.pem"),
      /no certificate in PEM form/,
    ],
    [
      "a key in place of the certificate",
      "server-cert.pem",
      () => bytesOf("server-key.pem"),
      /no certificate in/,
    ],
    ["a key that is none", "server-key.pem", () => "garbage", /no private key in PEM form/],
    ["a key that is locked", "server-key.pem", () => bytesOf("locked-key.pem"), /locked by a passphrase/],
    [
      "a key of another",
      "server-key.pem",
      () => bytesOf("client-key.pem"),
      /not the key of .*server-cert\.pem/,
    ],
  ])("%s is refused by the name of its file", async ([, name, make, says]) => {
    writeFileSync(join(folder, name), make());
    await expect(readCertificateFolder(folder, "server")).rejects.toMatchObject({
      code: "CEV_INVALID",
      message: expect.stringMatching(says) as string,
      place: { source: join(folder, name) },
    });
  });
});

describe.skipIf(!hasOpenssl())("certificates out of their time", () => {
  const DAY_MS = 86_400_000;
  const now = (): number => Date.now();
  const set = (): { ca: Buffer; certificate: Buffer } => ({
    ca: bytesOf("ca-cert.pem"),
    certificate: bytesOf("server-cert.pem"),
  });

  test("are told of: before, and after", () => {
    expect(timeTroubles(set(), now())).toEqual([]);
    const [early, alsoEarly] = timeTroubles(set(), now() - 2 * DAY_MS);
    expect(early).toMatch(
      /^the server's certificate \(CN=server\) is not valid before 20\d\d-\d\d-\d\dT.*Z$/,
    );
    expect(alsoEarly).toMatch(/^the certificate of the authority \(CN=ca of a test\) is not valid before/);
    const late = timeTroubles(set(), now() + 31 * DAY_MS);
    expect(late[0]).toMatch(/^the server's certificate \(CN=server\) was valid until 20\d\d-\d\d-\d\dT.*Z$/);
    expect(late).toHaveLength(2);
  });

  test("what cannot be parsed is not judged here", () => {
    expect(timeTroubles({ certificate: "garbage" }, now())).toEqual([]);
  });

  test("a server that has one says so when it begins to listen, once", async () => {
    const environment = environmentFrom(globalThis);
    const device = await Device.open(new MemoryLayer(environment, { size: 4096 }), environment);
    const events: NbdEvent[] = [];
    const certificate = bytesOf("expired-cert.pem");
    const key = bytesOf("expired-key.pem");
    const server = new NbdServer({
      environment,
      exports: [{ name: "disk", device }],
      tls: { mode: "required", certificates: { certificate, key } },
      onEvent: (event) => events.push(event),
    });
    expect(events).toEqual([]);
    await server.listen({ path: join(folder, "s") });
    await server.listen({ path: join(folder, "t") });
    expect(events).toEqual([
      { kind: "warning", message: expect.stringMatching(/\(CN=expired\) was valid until/) as string },
    ]);
    await server.close();
    await device.close();
  });
});
