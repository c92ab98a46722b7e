import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import { MemoryLayer } from "@cev/test-kit";
import { afterEach, beforeEach, expect, onTestFinished, test } from "vitest";
import type { ConformanceOptions } from "../../src/conformance/suite.ts";
import { runConformance } from "../../src/conformance/suite.ts";
import { NbdServer } from "../../src/server/server.ts";
import { pattern } from "../support/stack.ts";

const SIZE = 512 * 1024 + 200;
/** A server that is gone is waited for so long; whatever one that is there does has to be done in it. */
const GONE_MS = 2000;
const environment = environmentFrom(globalThis);

let directory: string;
let device: Device;
let server: NbdServer;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "cev-nbd-"));
  device = await Device.open(
    new MemoryLayer(environment, { size: SIZE, blockSize: 1, contents: pattern(SIZE, 3) }),
    environment,
  );
  server = await serve();
});

afterEach(async () => {
  await server.close({ isForced: true });
  await device.close();
  rmSync(directory, { recursive: true });
});

async function serve(): Promise<NbdServer> {
  const one = new NbdServer({ environment, exports: [{ name: "disk", device }] });
  await one.listen({ path: join(directory, "server") });
  return one;
}

function options(changes: Partial<ConformanceOptions> = {}): ConformanceOptions {
  return {
    environment,
    target: { address: { path: join(directory, "server") }, exportName: "disk", tls: null },
    canWrite: true,
    only: "write/",
    timeoutMs: 2000,
    saveIn: directory,
    ...changes,
  };
}

const saved = (): string[] => readdirSync(directory).filter((name) => name.startsWith("cev-nbd-saved-"));

async function contents(): Promise<Buffer> {
  return Buffer.from(await device.read(0, SIZE));
}

test("a run that is ended puts back what it changed", async () => {
  const before = await contents();
  const abort = new AbortController();
  let hasChanged = false;
  const run = runConformance(
    options({
      signal: abort.signal,
      onVerdict: ({ check }) => {
        if (check.name === "write/reads-back") hasChanged = true;
        if (check.name === "write/longest-payload-works") abort.abort(new Error("ended"));
      },
    }),
  );
  await expect(run).rejects.toThrow("ended");
  expect(hasChanged).toBe(true);
  expect((await contents()).equals(before)).toBe(true);
  expect(saved()).toEqual([]);
});

test("a run that is ended within a check puts back what it changed", async () => {
  const before = await contents();
  const abort = new AbortController();
  const run = runConformance(
    options({
      signal: abort.signal,
      onVerdict: ({ check }) => {
        if (check.name === "write/changes-nothing-around")
          environment.clock.after(1, () => abort.abort(new Error("ended")));
      },
    }),
  );
  await expect(run).rejects.toThrow("ended");
  expect((await contents()).equals(before)).toBe(true);
});

test("what was changed is put back when a server that died is there again", async () => {
  const before = await contents();
  let again: Promise<unknown> = Promise.resolve();
  const report = await runConformance(
    options({
      onVerdict: ({ check }) => {
        if (check.name !== "write/reads-back") return;
        again = server
          .close({ isForced: true })
          .then(() => new Promise<void>((resolve) => environment.clock.after(300, resolve)))
          .then(async () => (server = await serve()));
      },
    }),
  );
  await again;
  expect(report.isGone).toBe(true);
  expect(report.leftover).toBeNull();
  expect((await contents()).equals(before)).toBe(true);
  expect(saved()).toEqual([]);
});

/** Takes connections for a server, and drops them once `isDead` says so. */
async function socketOfDying(isDead: () => boolean): Promise<string> {
  const path = join(directory, "dying");
  const gate = createServer({ allowHalfOpen: true }, (client) => {
    client.on("error", () => undefined);
    if (isDead()) return void client.destroy();
    const upstream = connect({ path: join(directory, "server"), allowHalfOpen: true });
    upstream.on("error", () => undefined);
    client.pipe(upstream).pipe(client);
    client.once("close", () => upstream.destroy());
  });
  await new Promise<void>((resolve) => gate.listen({ path }, resolve));
  onTestFinished(() => void gate.close());
  return path;
}

test("a server whose socket still takes connections, but that serves nobody, is gone", async () => {
  let isDead = false;
  const path = await socketOfDying(() => isDead);
  const { judged, isGone, leftover } = await runConformance(
    options({
      target: { address: { path }, exportName: "disk", tls: null },
      timeoutMs: GONE_MS,
      onVerdict: ({ check }) => void (isDead ||= check.name === "write/reads-back"),
    }),
  );
  expect(isGone).toBe(true);
  expect(leftover).not.toBeNull();
  const [, next, ...rest] = judged.map(({ verdict }) => verdict);
  expect(next).toMatchObject({ kind: "failed" });
  expect(new Set(rest.map(({ kind }) => kind))).toEqual(new Set(["skipped"]));
});

test("what cannot be put back is left in a file that is named", async () => {
  const before = await contents();
  let place = { path: "", offset: -1 };
  const report = await runConformance(
    options({
      timeoutMs: GONE_MS,
      onSaved: (one) => (place = one),
      onVerdict: ({ check }) => {
        if (check.name === "write/reads-back") void server.close({ isForced: true });
      },
    }),
  );
  expect(report.isGone).toBe(true);
  expect(report.leftover).toContain(place.path);
  expect(existsSync(place.path)).toBe(true);
  expect(readFileSync(place.path).equals(before.subarray(place.offset))).toBe(true);
});

test("the bytes of an export behind its last whole unit are saved, too", async () => {
  let bytes = Buffer.alloc(0);
  await runConformance(options({ onSaved: ({ path }) => (bytes = readFileSync(path)) }));
  expect(bytes.subarray(-200).equals((await contents()).subarray(-200))).toBe(true);
});
