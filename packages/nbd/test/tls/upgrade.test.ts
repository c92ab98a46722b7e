import { Buffer } from "node:buffer";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readCertificateFolder } from "../../src/tls/certificate-folder.ts";
import type { CertificateSet, TlsClientSettings, TlsServerSettings } from "../../src/tls/credentials.ts";
import { tlsClient, tlsServer } from "../../src/tls/upgrade.ts";
import type { Upgraded } from "../../src/tls/upgrade.ts";
import { connectTo } from "../../src/transport/connect.ts";
import { socketTransport } from "../../src/transport/socket-transport.ts";
import type { TransportUser } from "../../src/transport/transport.ts";
import { hasOpenssl, makeAuthority, makeCertificate, makeSelfSigned } from "../support/certificates.ts";
import { pattern } from "../support/stack.ts";

let folder: string;
let server: CertificateSet;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "cev-tls-"));
  if (!hasOpenssl()) return;
  makeAuthority(folder);
  makeAuthority(folder, "other");
  makeCertificate(folder, "server", { purpose: "serverAuth" });
  makeCertificate(folder, "client", { purpose: "clientAuth" });
  makeCertificate(folder, "expired", { isExpired: true });
  makeCertificate(folder, "stranger", { authority: "other" });
  makeSelfSigned(folder, "selfish");
  server = await readCertificateFolder(folder, "server");
});

afterAll(() => rmSync(folder, { recursive: true }));

const pem = (name: string): Buffer => readFileSync(join(folder, name));

/** The certificate of `name`, and the authority of the server. */
const setOf = (name: string): CertificateSet => ({
  ca: pem("ca-cert.pem"),
  certificate: pem(`${name}-cert.pem`),
  key: pem(`${name}-key.pem`),
});

/** Keeps what comes, as somebody who reads slowly: a small buffer, and a pause after each piece. */
class Keeper implements TransportUser {
  readonly memory = new Uint8Array(5000);
  readonly pieces: Buffer[] = [];
  length = 0;
  upgraded: Upgraded | null = null;
  hasEnded = false;
  readonly closings: (Error | null)[] = [];
  onDrained: (() => void) | null = null;

  receiveInto(): Uint8Array {
    return this.memory;
  }

  received(length: number): boolean {
    this.length += length;
    this.pieces.push(Buffer.from(this.memory.subarray(0, length)));
    setImmediate(() => this.upgraded?.transport.resume());
    return false;
  }

  ended(): void {
    this.hasEnded = true;
    this.upgraded?.transport.end();
  }

  drained(): void {
    this.onDrained?.();
  }

  closed(error: Error | null): void {
    this.closings.push(error);
  }

  get bytes(): Buffer {
    return Buffer.concat(this.pieces);
  }
}

interface Met {
  readonly atServer: Upgraded | Error;
  readonly atClient: Upgraded | Error;
  readonly serverUser: Keeper;
  readonly clientUser: Keeper;
  close(): void;
}

/** Both sides over a real socket that was in use before, as a connection is that asks for TLS. */
async function meet(serverSettings: TlsServerSettings, clientSettings: TlsClientSettings): Promise<Met> {
  const upgrader = tlsServer(serverSettings);
  const path = join(folder, `sock${Math.random()}`);
  const listener: Server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
  const accepted = new Promise<Socket>((resolve) => listener.once("connection", resolve));
  await new Promise<void>((resolve) => listener.listen(path, resolve));
  const connected = await connectTo({ path }, new AbortController().signal);
  const [serverUser, clientUser] = [new Keeper(), new Keeper()];
  const serverSide = socketTransport(await accepted, serverUser).detach!()!;
  const clientSide = socketTransport(connected, clientUser).detach!()!;
  const atServer = upgrader.upgrade(serverSide, serverUser).catch((error: unknown) => error as Error);
  const atClient = tlsClient(clientSide, clientSettings, clientUser).catch(
    (error: unknown) => error as Error,
  );
  const met = { atServer: await atServer, atClient: await atClient, serverUser, clientUser };
  if (!(met.atServer instanceof Error)) serverUser.upgraded = met.atServer;
  if (!(met.atClient instanceof Error)) clientUser.upgraded = met.atClient;
  return {
    ...met,
    close: () => {
      serverSide.destroy();
      clientSide.destroy();
      listener.close();
    },
  };
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

const KEY = pattern(32);
const KEYS = new Map([["alice", KEY]]);
const verified: TlsServerSettings = { mode: "required", verifiesPeer: true };

describe.skipIf(!hasOpenssl())("TLS over a connection that was plain", () => {
  test("with a key that both sides have: bytes come as they were, and both ends are told", async () => {
    const met = await meet(
      { mode: "required", pskKeys: KEYS },
      { mode: "required", psk: { username: "alice", key: KEY }, verifiesPeer: true },
    );
    if (met.atServer instanceof Error || met.atClient instanceof Error) throw new Error("refused");
    expect(met.atServer.security).toEqual({
      kind: "tls",
      protocol: "TLSv1.3",
      cipher: "TLS_AES_128_GCM_SHA256",
      username: "alice",
      subject: null,
    });
    const bytes = Buffer.from(pattern(200_000));
    met.serverUser.upgraded!.transport.resume();
    met.clientUser.upgraded!.transport.resume();
    met.clientUser.upgraded!.transport.write([bytes.subarray(0, 10), bytes.subarray(10)]);
    await until(() => met.serverUser.length === bytes.length);
    expect(Buffer.compare(met.serverUser.bytes, bytes)).toBe(0);
    met.clientUser.upgraded!.transport.end();
    await until(() => met.clientUser.closings.length > 0 && met.serverUser.closings.length > 0);
    expect(met.serverUser.hasEnded).toBe(true);
    expect([met.clientUser.closings, met.serverUser.closings]).toEqual([[null], [null]]);
    met.close();
  });

  test("a client that is known by its certificate is let in, and its subject is told", async () => {
    const met = await meet(
      { ...verified, certificates: server },
      { mode: "required", certificates: setOf("client"), verifiesPeer: true },
    );
    expect(met.atServer).toMatchObject({ security: { kind: "tls", username: null, subject: "CN=client" } });
    expect(met.atClient).toMatchObject({ security: { kind: "tls", subject: "CN=server" } });
    met.close();
  });

  test("a client may have a certificate or a key where the server knows both", async () => {
    const both = { ...verified, certificates: server, pskKeys: KEYS };
    const byKey = await meet(both, {
      mode: "required",
      psk: { username: "alice", key: KEY },
      verifiesPeer: true,
    });
    expect(byKey.atServer).toMatchObject({ security: { username: "alice", subject: null } });
    byKey.close();
    const byCertificate = await meet(both, {
      mode: "required",
      certificates: setOf("client"),
      verifiesPeer: true,
    });
    expect(byCertificate.atServer).toMatchObject({ security: { username: null, subject: "CN=client" } });
    byCertificate.close();
  });

  test.for(["expired", "stranger", "selfish", "server", "none"])(
    "a client that shows the certificate %s is not let in",
    async (name) => {
      const certificates = name === "none" ? { ca: pem("ca-cert.pem") } : setOf(name);
      const met = await meet(
        { ...verified, certificates: server },
        { mode: "required", certificates, verifiesPeer: true },
      );
      expect(met.atServer).toMatchObject({ code: "CEV_ACCESS" });
      expect(met.serverUser.bytes).toHaveLength(0);
      met.close();
    },
  );

  test("a client with the wrong key, or an unknown name, is not let in", async () => {
    const wrong = pattern(32, 9);
    for (const psk of [
      { username: "alice", key: wrong },
      { username: "mallory", key: KEY },
    ]) {
      const met = await meet(
        { mode: "required", pskKeys: KEYS },
        { mode: "required", psk, verifiesPeer: true },
      );
      expect(met.atServer).toMatchObject({ code: expect.stringMatching(/CEV_(ACCESS|PROTOCOL)/) as string });
      expect(met.atClient).toBeInstanceOf(Error);
      met.close();
    }
  });

  test("a name is not enough where the ciphers do not fit its key", async () => {
    const upgrader = tlsServer({ ...verified, certificates: server, pskKeys: KEYS });
    const path = join(folder, "names");
    const listener = createServer({ pauseOnConnect: true, allowHalfOpen: true });
    const outcome = new Promise<unknown>((resolve) =>
      listener.once("connection", (socket) => {
        upgrader.upgrade(socket, new Keeper()).then(resolve, resolve);
      }),
    );
    await new Promise<void>((resolve) => listener.listen(path, resolve));
    const client = connect({
      path,
      ciphers: "TLS_AES_256_GCM_SHA384",
      pskCallback: () => ({ identity: "alice", psk: pattern(32, 9) as Uint8Array<ArrayBuffer> }),
      checkServerIdentity: () => undefined,
      rejectUnauthorized: false,
    });
    client.on("error", () => {});
    expect(await outcome).toMatchObject({ code: "CEV_ACCESS" });
    client.destroy();
    listener.close();
  });

  test("a client does not believe a server of another authority, of another name, or without the key", async () => {
    for (const settings of [
      { mode: "required", certificates: { ca: pem("other-cert.pem") }, verifiesPeer: true },
      {
        mode: "required",
        certificates: { ca: pem("ca-cert.pem") },
        hostname: "example.org",
        verifiesPeer: true,
      },
      { mode: "required", psk: { username: "alice", key: KEY }, verifiesPeer: true },
    ] as const) {
      const met = await meet({ mode: "required", certificates: server }, settings);
      expect(met.atClient).toMatchObject({
        code: expect.stringMatching(/CEV_(ACCESS|PROTOCOL)/) as string,
      });
      met.close();
    }
  });

  test("one that checks nothing gets what it asked for", async () => {
    const met = await meet(
      { mode: "required", certificates: server },
      { mode: "required", certificates: { ca: pem("other-cert.pem") }, verifiesPeer: false },
    );
    expect(met.atClient).toMatchObject({ security: { kind: "tls", subject: null } });
    met.close();
  });
});

describe.skipIf(!hasOpenssl())("settings that guard nothing are refused", () => {
  const noCa = (): CertificateSet => ({ certificate: server.certificate!, key: server.key! });
  test.for([
    ["nothing to show", () => ({})],
    ["clients to verify without an authority", () => ({ certificates: noCa(), verifiesPeer: true })],
    ["clients to verify with keys alone", () => ({ pskKeys: KEYS, verifiesPeer: true })],
    ["keys beside certificates that anybody passes", () => ({ certificates: server, pskKeys: KEYS })],
    ["a key of another certificate", () => ({ certificates: { ...server, key: pem("client-key.pem") } })],
    ["garbage", () => ({ certificates: { ...server, certificate: "garbage" } })],
  ] as const)("%s", ([, make]) => {
    expect(() => tlsServer({ mode: "required", ...make() })).toThrow(
      expect.objectContaining({ code: "CEV_INVALID" }) as Error,
    );
  });
});
