import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench } from "../../src/conformance/bench.ts";
import { conformanceChecks } from "../../src/conformance/suite.ts";
import { surveyServer } from "../../src/conformance/survey.ts";
import type { Survey } from "../../src/conformance/survey.ts";
import type { ConformanceTls } from "../../src/conformance/target.ts";
import { NotApplicable, Violation } from "../../src/conformance/violation.ts";
import { NbdServer } from "../../src/server/server.ts";
import { pattern } from "../support/stack.ts";
import { ERR_TLS_REQUIRED, ERR_UNKNOWN, OPT } from "./mutations.ts";
import { MutatingProxy } from "./mutating-proxy.ts";
import type { Mutation } from "./mutating-proxy.ts";

const SIZE = 1024 * 1024;
/** A server that says nothing waits for the short one, in which everything before has to be done. */
const [TIMEOUT_MS, SHORT_MS] = [10_000, 1500];
const environment = environmentFrom(globalThis);
const KEY = pattern(32);

let directory: string;
let device: Device;
let servers: NbdServer[];
let proxy: MutatingProxy;
let survey: Survey;
const impostors: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];

const shared = { isRequired: true, hostname: "localhost", verifiesPeer: false };
const psk: ConformanceTls = { ...shared, psk: { username: "alice", key: KEY } };

async function serve(name: string, key: Uint8Array): Promise<void> {
  const tls = { mode: "optional", pskKeys: new Map([["alice", key]]) } as const;
  const server = new NbdServer({ environment, exports: [{ name: "disk", device }], tls });
  await server.listen({ path: join(directory, name) });
  servers.push(server);
}

/** Takes STARTTLS from every client, and answers what comes in the place of TLS with `answer`. */
async function pretend(name: string, answer: Buffer): Promise<void> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let received = 0;
    socket.on("error", () => undefined);
    socket.write(Buffer.from(`NBDMAGICIHAVEOPT\0\u0003`, "latin1"));
    socket.on("data", (bytes) => {
      const before = received;
      received += bytes.length;
      // Four bytes of flags, and sixteen of STARTTLS.
      if (before < 20 && received >= 20)
        socket.write(Buffer.from("0003e889045565a9000000050000000100000000", "hex"));
      else if (before >= 20 && answer.length > 0) socket.write(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen({ path: join(directory, name) }, resolve));
  impostors.push({ server, sockets });
}

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "cev-nbd-"));
  device = await Device.open(new MemoryLayer(environment, { size: SIZE }), environment);
  servers = [];
  await serve("server", KEY);
  await serve(
    "inverted",
    KEY.map((byte) => byte ^ 0xff),
  );
  await pretend("silent", Buffer.alloc(0));
  // A fatal alert, "handshake failure"; the connection stays.
  await pretend("alert", Buffer.from("15030300020228", "hex"));
  proxy = await MutatingProxy.listen(join(directory, "proxy"), join(directory, "server"));
  survey = await surveyServer(targetAt("server", psk), { environment, timeoutMs: TIMEOUT_MS });
});

afterAll(async () => {
  await proxy.close();
  for (const server of servers) await server.close({ isForced: true });
  for (const { server, sockets } of impostors) {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
  await device.close();
  rmSync(directory, { recursive: true });
});

function targetAt(name: string, tls: ConformanceTls): ConstructorParameters<typeof Bench>[0]["target"] {
  return { address: { path: join(directory, name) }, exportName: "disk", tls };
}

/** "passed", "skipped", or what a check found. */
async function verdictOf(name: string, at: string, tls: ConformanceTls, timeoutMs: number): Promise<string> {
  const check = conformanceChecks().find((one) => one.name === name)!;
  const bench = new Bench({ target: targetAt(at, tls), survey, environment, timeoutMs, readOnlyName: null });
  try {
    await check.run(bench);
    return "passed";
  } catch (error) {
    if (error instanceof NotApplicable) return `skipped: ${error.message}`;
    if (error instanceof Violation) return error.message;
    throw error;
  } finally {
    await bench.end();
  }
}

describe("a TLS handshake that fails has to be the end of the session", () => {
  test("and is, of a server that knows its keys", async () => {
    expect(await verdictOf("tls/wrong-psk-ends", "server", psk, TIMEOUT_MS)).toBe("passed");
  });

  test("which a server that takes a wrong key does not know", async () => {
    const found = await verdictOf("tls/wrong-psk-ends", "inverted", psk, TIMEOUT_MS);
    expect(found).toBe("the server went on after a wrong key");
  });

  test("also of a server that keeps the connection, and says nothing or tells an alert", async () => {
    const verdicts = ["silent", "alert"].flatMap((name) => [
      verdictOf("tls/wrong-psk-ends", name, psk, SHORT_MS),
      verdictOf("tls/1.1-refused", name, shared, SHORT_MS),
    ]);
    const found = ["a wrong key", "TLS 1.1"].map(
      (what) => `the server did not close the connection after ${what}`,
    );
    expect(await Promise.all(verdicts)).toEqual([...found, ...found]);
  });
});

const plainAnswer = (type: number): Mutation => ({
  answerOption: ({ option, data }) =>
    option === OPT.info || option === OPT.go
      ? [{ option, type: data.includes("disk") ? type : ERR_UNKNOWN, data: Buffer.alloc(0) }]
      : null,
});

describe("an export for clients in TLS alone", () => {
  const [required, closes] = ["tls/tls-only-export-required", "tls/tls-only-export-name-closes"];

  test("says so to others", async () => {
    proxy.mutation = plainAnswer(ERR_TLS_REQUIRED);
    expect(await verdictOf(required, "proxy", psk, TIMEOUT_MS)).toBe("passed");
    expect(await verdictOf(required, "server", psk, TIMEOUT_MS)).toMatch(/^skipped/);
  });

  test("is not to be unknown to others", async () => {
    proxy.mutation = plainAnswer(ERR_UNKNOWN);
    expect(await verdictOf(required, "proxy", psk, TIMEOUT_MS)).toContain("errorUnknown");
  });

  test("is not to be entered with EXPORT_NAME", async () => {
    proxy.mutation = plainAnswer(ERR_TLS_REQUIRED);
    expect(await verdictOf(closes, "proxy", psk, TIMEOUT_MS)).toContain("went on talking");
  });
});

test("a client without FIXED_NEWSTYLE gets no TLS", async () => {
  const name = "tls/none-without-fixed-newstyle";
  expect(await verdictOf(name, "server", psk, TIMEOUT_MS)).toBe("passed");
  proxy.mutation = { clientFlags: (flags) => flags | 1 };
  expect(await verdictOf(name, "proxy", psk, TIMEOUT_MS)).toContain("was accepted");
});
