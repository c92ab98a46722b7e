import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import type { Environment } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Bench } from "../../src/conformance/bench.ts";
import type { Check } from "../../src/conformance/check.ts";
import { conformanceChecks, runConformance } from "../../src/conformance/suite.ts";
import { surveyServer } from "../../src/conformance/survey.ts";
import type { Survey } from "../../src/conformance/survey.ts";
import { NotApplicable, Violation } from "../../src/conformance/violation.ts";
import { NbdServer } from "../../src/server/server.ts";
import { pattern } from "../support/stack.ts";
import { CMD, flags, OPT } from "./mutations.ts";
import { MUTANTS } from "./mutants.ts";
import { MutatingProxy } from "./mutating-proxy.ts";

const SIZE = 512 * 1024;
/** Long enough for a loaded machine; a bug after which no answer comes waits for the short one. */
const [TIMEOUT_MS, SHORT_MS] = [10_000, 300];

let environment: Environment;
let directory: string;
let server: NbdServer;
let proxy: MutatingProxy;
let device: Device;
let frozen: Device;
let survey: Survey;

const target = (name: string): Parameters<typeof surveyServer>[0] => ({
  address: { path: join(directory, name) },
  exportName: "disk",
  tls: null,
});

beforeAll(async () => {
  environment = environmentFrom(globalThis);
  directory = mkdtempSync(join(tmpdir(), "cev-nbd-"));
  device = await openDevice();
  frozen = await openDevice();
  server = new NbdServer({
    environment,
    exports: [
      { name: "disk", device },
      { name: "frozen", device: frozen, isReadOnly: true },
    ],
  });
  await server.listen({ path: join(directory, "server") });
  proxy = await MutatingProxy.listen(join(directory, "proxy"), join(directory, "server"));
  survey = await surveyServer(target("server"), { environment, timeoutMs: TIMEOUT_MS });
});

afterAll(async () => {
  await proxy.close();
  await server.close({ isForced: true });
  await device.close();
  await frozen.close();
  rmSync(directory, { recursive: true });
});

function openDevice(): Promise<Device> {
  return Device.open(new MemoryLayer(environment, { size: SIZE, contents: pattern(SIZE, 3) }), environment);
}

/** What a check says of the server behind the proxy. */
async function violationOf(check: Check, timeoutMs: number): Promise<string | null> {
  const bench = new Bench({
    target: target("proxy"),
    survey,
    environment,
    timeoutMs,
    readOnlyName: "frozen",
  });
  try {
    await check.run(bench);
    return null;
  } catch (error) {
    if (error instanceof NotApplicable) return null;
    if (error instanceof Violation) return error.message;
    throw error;
  } finally {
    await bench.end();
  }
}

function checkNamed(name: string): Check {
  const check = conformanceChecks().find((one) => one.name === name);
  if (check === undefined) throw new Error(`there is no check ${name}`);
  return check;
}

test("the server passes every check", async () => {
  const { judged } = await runConformance({
    environment,
    target: target("server"),
    canWrite: true,
    readOnlyName: "frozen",
    timeoutMs: TIMEOUT_MS,
  });
  const failed = judged.filter(({ verdict }) => verdict.kind === "failed");
  expect(failed).toEqual([]);
});

describe("a bug of a server is caught", () => {
  test("by nothing where there is none", async () => {
    proxy.mutation = {};
    for (const name of new Set(MUTANTS.map(({ caughtBy }) => caughtBy)))
      expect([name, await violationOf(checkNamed(name), TIMEOUT_MS)]).toEqual([name, null]);
  });

  test.each(MUTANTS)("$bug: $caughtBy", async ({ caughtBy, mutation }) => {
    proxy.mutation = mutation;
    expect(await violationOf(checkNamed(caughtBy), SHORT_MS)).not.toBeNull();
  });
});

test("a malformed reply fails a check and does not end the run", async () => {
  proxy.mutation = {
    optionReply: (message) => [
      message.option === OPT.list && message.type === 2 ? { ...message, data: Buffer.from([0]) } : message,
    ],
  };
  const { judged } = await runConformance({
    environment,
    target: target("proxy"),
    canWrite: false,
    only: "list/",
    timeoutMs: TIMEOUT_MS,
  });
  expect(judged.map(({ verdict }) => verdict.kind)).toContain("failed");
  expect(judged.map(({ check }) => check.name)).toContain("list/twice-the-same");
});

const CHANGING: readonly number[] = [CMD.write, CMD.trim, CMD.zeroes];

test("nothing that changes data is sent without leave", async () => {
  const sent: number[] = [];
  proxy.mutation = { request: (message) => (sent.push(message.command), message) };
  await runConformance({
    environment,
    target: target("proxy"),
    canWrite: false,
    // It sends reads alone, tens of thousands of them.
    except: "robustness/unread-answers-are-bounded",
    timeoutMs: TIMEOUT_MS,
  });
  expect(sent.filter((command) => CHANGING.includes(command))).toEqual([]);
  expect(sent).toContain(CMD.read);
});

test("an export that is read-only by its flags alone loses nothing", async () => {
  const before = Buffer.from(await device.read(0, SIZE));
  const sent: number[] = [];
  proxy.mutation = {
    ...flags((bits) => bits | 2),
    request: (message) => (sent.push(message.command), message),
  };
  const { judged } = await runConformance({
    environment,
    target: target("proxy"),
    canWrite: true,
    only: "read-only",
    timeoutMs: TIMEOUT_MS,
  });
  expect(judged.map(({ verdict }) => verdict.kind)).toEqual(judged.map(() => "failed"));
  expect(new Set(sent.filter((command) => CHANGING.includes(command)))).toEqual(new Set([CMD.write]));
  expect(before.equals(await device.read(0, SIZE))).toBe(true);
});

test("what the suite changes it puts back", async () => {
  const before = Buffer.from(await device.read(0, SIZE));
  await runConformance({
    environment,
    target: target("server"),
    canWrite: true,
    only: "write/",
    timeoutMs: TIMEOUT_MS,
  });
  expect(before.equals(await device.read(0, SIZE))).toBe(true);
});
