import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { NbdServer } from "@cev/nbd";
import { expect, onTestFinished, test } from "vitest";
import { Command, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

const SIZE = 1024 * 1024;
const environment = environmentFrom(globalThis);

async function setUp(): Promise<{ uri: string; server: NbdServer; contents: () => Promise<Buffer> }> {
  const device = await Device.open(new RamdiskLayer(environment, { size: SIZE }), environment);
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
    contents: async () => Buffer.from(await device.read(0, SIZE)),
  };
}

const KEPT = /is kept in (\S+) until/;

test("nbd-conformance puts back what it changed when it is ended by a signal", async () => {
  const { uri, contents } = await setUp();
  const before = await contents();
  const command = new Command(["nbd-conformance", uri, "--write", "--verbose", "--only", "write/*"]);
  const [, path = ""] = await command.untilError(KEPT);
  await command.until(/ok +write\/changes-nothing-around/);
  command.child.kill("SIGTERM");
  const { status, stderr } = await command.ended;
  expect(status).toBe(1);
  expect(stderr).toContain("ended by SIGTERM");
  expect((await contents()).equals(before)).toBe(true);
  expect(existsSync(path)).toBe(false);
});

test("nbd-conformance names the file with what it could not put back", async () => {
  const { uri, server, contents } = await setUp();
  const before = await contents();
  const args = ["nbd-conformance", uri, "--write", "--verbose", "--only", "write/*", "--timeout", "0.3"];
  const command = new Command(args);
  await command.until(/ok +write\/changes-nothing-around/);
  await server.close({ isForced: true });
  const { status, stderr } = await command.ended;
  const [, path = ""] = KEPT.exec(stderr) ?? [];
  expect(status).toBe(1);
  expect(stderr).toContain(`the ${SIZE} bytes that were at byte 0 of the export are in ${path}`);
  expect(readFileSync(path).equals(before)).toBe(true);
});

test("nbd-conformance fails for a server that did not outlive it, whatever rule was looked at", async () => {
  const { uri, server } = await setUp();
  const args = ["nbd-conformance", uri, "--verbose", "--only", "robustness/*", "--timeout", "0.3"];
  const command = new Command(args);
  await command.until(/ok +robustness\/silent/);
  await server.close({ isForced: true });
  const { status, stdout } = await command.ended;
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
