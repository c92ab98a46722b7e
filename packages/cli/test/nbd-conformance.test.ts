import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { Device, environmentFrom, Op } from "@cev/core";
import type { Io } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { NbdServer } from "@cev/nbd";
import { expect, onTestFinished, test } from "vitest";
import { temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

const SIZE = 1024 * 1024;
const environment = environmentFrom(globalThis);

/** Calls back as soon as it has done so many requests of a kind. */
class Counting extends RamdiskLayer {
  onDone: (op: number, count: number) => void = () => undefined;
  readonly #counts = new Map<number, number>();

  override submit(io: Io): void {
    const count = (this.#counts.get(io.op) ?? 0) + 1;
    this.#counts.set(io.op, count);
    const { op } = io;
    super.submit(io);
    this.onDone(op, count);
  }
}

interface Setting {
  readonly uri: string;
  readonly server: NbdServer;
  readonly layer: Counting;
  readonly contents: () => Promise<Buffer>;
}

async function setUp(): Promise<Setting> {
  const layer = new Counting(environment, { size: SIZE });
  const device = await Device.open(layer, environment);
  await device.write(0, Buffer.alloc(SIZE, "what was there"));
  const server = new NbdServer({ environment, exports: [{ name: "disk", device }] });
  const path = join(temporaryFolder(), "s");
  await server.listen({ path });
  onTestFinished(async () => {
    await server.close({ isForced: true });
    await device.close();
  });
  return {
    uri: `nbd+unix:///disk?socket=${path}`,
    server,
    layer,
    contents: async () => Buffer.from(await device.read(0, SIZE)),
  };
}

const KEPT = /is kept in (\S+) until/;
/** By then the first checks of writes have changed something; the write of what was there at first is one of them. */
const SOME_WRITES = 6;

test("nbd-conformance puts back what it changed when it is ended by a signal", async () => {
  const { uri, layer, contents } = await setUp();
  const before = await contents();
  let hasChanged = false;
  layer.onDone = (op, count) => {
    if (op !== Op.write || count !== SOME_WRITES) return;
    void contents().then((now) => (hasChanged = !now.equals(before)));
    process.emit("SIGTERM", "SIGTERM");
  };
  const { status, stderr } = await run(["nbd-conformance", uri, "--write", "--only", "write/*"]);
  const [, path = ""] = KEPT.exec(stderr) ?? [];
  expect(hasChanged).toBe(true);
  expect(status).toBe(1);
  expect(stderr).toContain("ended by SIGTERM");
  expect((await contents()).equals(before)).toBe(true);
  expect(path).not.toBe("");
  expect(existsSync(path)).toBe(false);
});

test("nbd-conformance names the file with what it could not put back", async () => {
  const { uri, server, layer, contents } = await setUp();
  const before = await contents();
  layer.onDone = (op, count) => {
    if (op === Op.write && count === SOME_WRITES) void server.close({ isForced: true });
  };
  const args = ["nbd-conformance", uri, "--write", "--only", "write/*", "--timeout", "0.2"];
  const { status, stderr } = await run(args);
  const [, path = ""] = KEPT.exec(stderr) ?? [];
  expect(status).toBe(1);
  expect(stderr).toContain(`the ${SIZE} bytes that were at byte 0 of the export are in ${path}`);
  expect(readFileSync(path).equals(before)).toBe(true);
  rmSync(dirname(path), { recursive: true });
});

test("nbd-conformance fails for a server that did not outlive it, whatever rule was looked at", async () => {
  const { uri, server, layer } = await setUp();
  layer.onDone = (op) => {
    if (op === Op.read) void server.close({ isForced: true });
  };
  const { status, stdout } = await run([
    "nbd-conformance",
    uri,
    "--only",
    "robustness/*",
    "--timeout",
    "0.2",
  ]);
  expect(stdout.toString()).toContain("0 of the rules (must) broken");
  expect(stdout.toString()).toContain("the server did not outlive them");
  expect(status).toBe(1);
});

test("nbd-conformance --json tells whether the server is there still", async () => {
  const { uri } = await setUp();
  const { status, stdout } = await run(["nbd-conformance", uri, "--json", "--only", "greeting/sends*"]);
  expect(JSON.parse(stdout.toString())).toMatchObject({ isGone: false, leftover: null });
  expect(status).toBe(0);
});

test("a file with keys that is not there is no server that does not answer", async () => {
  const uri = `nbds://user@localhost/?tls-psk-file=${join(temporaryFolder(), "keys")}`;
  const { status, stderr } = await run(["nbd-conformance", uri]);
  expect(stderr).not.toContain("no server answers");
  expect(status).toBe(1);
});

test("nbd-conformance --json tells an error on standard output, too", async () => {
  const uri = `nbd+unix:///?socket=${join(temporaryFolder(), "s")}`;
  const { status, stdout } = await run(["nbd-conformance", uri, "--json"]);
  expect(JSON.parse(stdout.toString())).toMatchObject({ problems: [{ code: "CEV_NOT_FOUND" }] });
  expect(status).toBe(3);
  const wrong = await run(["nbd-conformance", "--json"]);
  expect(JSON.parse(wrong.stdout.toString())).toMatchObject({ problems: [{ code: "CEV_INVALID" }] });
});

test("nbd-conformance says when there is no such export", async () => {
  const { uri } = await setUp();
  const wrong = uri.replace("/disk", "/dsik");
  const { status, stderr } = await run(["nbd-conformance", wrong, "--only", "info/*"]);
  expect(stderr).toContain("nothing could be seen of the export");
  expect(status).toBe(1);
});

test("nbd-conformance is called the wrong way with an export that is not read-only, and with what is no URI", async () => {
  const { uri } = await setUp();
  const writable = await run(["nbd-conformance", uri, "--read-only-export", "disk", "--only", "read/*"]);
  expect(writable.status).toBe(2);
  expect(writable.stderr).toContain("it can be written");
  expect(writable.stderr).toContain("name a read-only export of this server, or none");
  const missing = await run(["nbd-conformance", uri, "--read-only-export", "dsik", "--json"]);
  expect(missing.status).toBe(2);
  expect(JSON.parse(missing.stdout.toString())).toMatchObject({ problems: [{ code: "CEV_INVALID" }] });
  expect((await run(["nbd-conformance", "foo"])).status).toBe(2);
});
