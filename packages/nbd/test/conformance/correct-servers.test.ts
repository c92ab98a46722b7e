import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ConformanceOptions } from "../../src/conformance/suite.ts";
import { runConformance } from "../../src/conformance/suite.ts";
import type { Judged } from "../../src/conformance/report.ts";
import { NbdServer } from "../../src/server/server.ts";
import { pattern } from "../support/stack.ts";
import { CMD, EINVAL, errorReply, ERR_TLS_REQUIRED, OPT } from "./mutations.ts";
import { MutatingProxy } from "./mutating-proxy.ts";
import type { Mutation } from "./mutating-proxy.ts";

const SIZE = 1024 * 1024;
const ERR_BLOCK_SIZE_REQUIRED = 0x8000_0008;
const [BLOCK_SIZE, LARGE] = [3, 65_536];
const environment = environmentFrom(globalThis);

let directory: string;
let device: Device;
let small: Device;
let server: NbdServer;
let forced: NbdServer;
let proxy: MutatingProxy;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "cev-nbd-"));
  const memory = new MemoryLayer(environment, { size: SIZE, contents: pattern(SIZE, 3) });
  device = await Device.open(memory, environment);
  small = await Device.open(new MemoryLayer(environment, { size: 2 * LARGE }), environment);
  const exports = [
    { name: "disk", device },
    { name: "frozen", device, isReadOnly: true },
    { name: "small", device: small },
  ];
  server = new NbdServer({ environment, exports });
  await server.listen({ path: join(directory, "server") });
  const pskKeys = new Map([["alice", pattern(32)]]);
  forced = new NbdServer({ environment, exports, tls: { mode: "required", pskKeys } });
  await forced.listen({ path: join(directory, "forced") });
  proxy = await MutatingProxy.listen(join(directory, "proxy"), join(directory, "server"));
});

afterAll(async () => {
  await proxy.close();
  await server.close({ isForced: true });
  await forced.close({ isForced: true });
  await device.close();
  await small.close();
  rmSync(directory, { recursive: true });
});

function options(name: string, changes: Partial<ConformanceOptions> = {}): ConformanceOptions {
  return {
    environment,
    target: { address: { path: join(directory, name) }, exportName: "disk", tls: null },
    canWrite: true,
    readOnlyName: "frozen",
    timeoutMs: 5000,
    ...changes,
  };
}

/** The proxy takes whatever a client sends, and keeps it. */
const PROXIED = { except: "robustness/" };

const failedOf = (judged: readonly Judged[]): unknown[] =>
  judged
    .filter(({ verdict }) => verdict.kind === "failed")
    .map(({ check, verdict }) => [check.name, "what" in verdict ? verdict.what : ""]);

/** The infos that INFO or GO asks for. */
function wantedInfos(data: Buffer): number[] {
  const at = 4 + data.readUInt32BE(0);
  const count = data.readUInt16BE(at);
  return Array.from({ length: count }, (_, index) => data.readUInt16BE(at + 2 + index * 2));
}

const isWellFormed = (data: Buffer): boolean =>
  data.length >= 6 &&
  data.length >= 6 + data.readUInt32BE(0) &&
  data.length === 6 + data.readUInt32BE(0) + 2 * data.readUInt16BE(4 + data.readUInt32BE(0));

const namedIn = (data: Buffer): string => data.toString("utf8", 4, 4 + data.readUInt32BE(0));

const largeBlocks: Mutation = {
  optionReply: (message) => {
    if (message.type !== 3 || message.data.readUInt16BE(0) !== BLOCK_SIZE) return [message];
    const data = Buffer.from(message.data);
    data.writeUInt32BE(LARGE, 2);
    data.writeUInt32BE(LARGE, 6);
    return [{ ...message, data }];
  },
  answerRequest: (request, style) => {
    if (request.command > CMD.status || request.command === CMD.disconnect || request.command === CMD.flush)
      return null;
    if (request.command === CMD.status && request.payload.length > 0) return null;
    const isAligned = request.offset % BigInt(LARGE) === 0n && request.length % BigInt(LARGE) === 0n;
    return isAligned ? null : [errorReply(request, style, EINVAL)];
  },
};

const asksForBlockSizes: Mutation = {
  answerOption: ({ option, data }) =>
    (option === OPT.info || option === OPT.go) &&
    isWellFormed(data) &&
    ["disk", "frozen", ""].includes(namedIn(data)) &&
    !wantedInfos(data).includes(BLOCK_SIZE)
      ? [{ option, type: ERR_BLOCK_SIZE_REQUIRED, data: Buffer.alloc(0) }]
      : null,
};

const keepsOneExportForTls: Mutation = {
  answerOption: ({ option, data }) =>
    (option === OPT.info || option === OPT.go) && isWellFormed(data) && namedIn(data) === "frozen"
      ? [{ option, type: ERR_TLS_REQUIRED, data: Buffer.alloc(0) }]
      : null,
};

describe("a correct server is not blamed", () => {
  test("that serves whole blocks of 64 KiB only", async () => {
    proxy.mutation = largeBlocks;
    expect(failedOf((await runConformance(options("proxy", PROXIED))).judged)).toEqual([]);
  });

  test("that has room for two such blocks", async () => {
    proxy.mutation = largeBlocks;
    const { address, tls } = options("proxy").target;
    const target = { address, tls, exportName: "small" };
    const { judged } = await runConformance(options("proxy", { only: "*write*", target }));
    expect(failedOf(judged)).toEqual([]);
  });

  test("that insists on being asked for block sizes", async () => {
    proxy.mutation = asksForBlockSizes;
    const { judged } = await runConformance(options("proxy", { ...PROXIED, canWrite: false }));
    expect(failedOf(judged)).toEqual([]);
  });

  test("that lists an export that is for clients in TLS alone", async () => {
    proxy.mutation = keepsOneExportForTls;
    const { target } = options("proxy");
    const only = "list/listed-name-opens";
    const { judged } = await runConformance({ environment, target, canWrite: false, only });
    expect(judged.map(({ verdict }) => verdict.kind)).toEqual(["passed"]);
  });

  test("that insists on TLS, by a client without", async () => {
    const { judged, trouble } = await runConformance(options("forced"));
    expect(failedOf(judged)).toEqual([]);
    expect(trouble).toBeNull();
    expect(judged.find(({ check }) => check.name === "tls/forced-abort-works")?.verdict.kind).toBe("passed");
  });

  test("that has no such export; but that nothing was seen is told", async () => {
    const { address, tls } = options("server").target;
    const { judged, trouble } = await runConformance(
      options("server", { target: { address, tls, exportName: "dsik" } }),
    );
    expect(failedOf(judged)).toEqual([]);
    expect(trouble).toContain("errorUnknown");
  });

  test("that is asked about a read-only export which is none", async () => {
    const run = runConformance(options("server", { readOnlyName: "disk" }));
    await expect(run).rejects.toMatchObject({ code: "CEV_INVALID" });
  });
});

test("no command of an extension that changes the export is sent as one that does not exist", async () => {
  const sent: number[] = [];
  proxy.mutation = { request: (message) => (sent.push(message.command), message) };
  await runConformance(options("proxy", { only: "requests/" }));
  expect(sent).not.toContain(8);
});
