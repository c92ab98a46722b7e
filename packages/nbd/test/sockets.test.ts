import { spawnSync } from "node:child_process";
import type { StdioOptions } from "node:child_process";
import { chmodSync, existsSync, mkdtempSync, renameSync, rmSync, statSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { getuid } from "node:process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { environmentFrom } from "@cev/core";
import { NbdServer } from "../src/index.ts";
import { Command, OptionType } from "../src/protocol/numbers.ts";
import { activatedFds } from "../src/transport/activation.ts";
import { listenOn, nbdUri } from "../src/transport/listen.ts";
import { clientFlags, go, option, request } from "./support/messages.ts";
import { pattern } from "./support/stack.ts";

const sourceOf = (path: string): string => JSON.stringify(new URL(`../src/${path}`, import.meta.url).href);

/** Runs it in a process of its own; what it wrote to standard output and error. */
function runScript(
  script: string,
  stdio: StdioOptions,
  input: Uint8Array = new Uint8Array(0),
): [Buffer, string] {
  const words = ["--conditions=@cev/source", "--disable-warning=ExperimentalWarning"];
  const { stdout, stderr } = spawnSync(process.execPath, [...words, "--input-type=module", "-e", script], {
    stdio,
    ...(input === undefined ? {} : { input }),
  });
  return [stdout, stderr.toString()];
}

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cev-sockets-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("sockets that the process was started with", () => {
  test("are those that are for it, from the third descriptor on", () => {
    const variables = { LISTEN_PID: "42", LISTEN_FDS: "2" };
    expect(activatedFds({ pid: 42, variables })).toEqual([3, 4]);
    expect(activatedFds({ pid: 43, variables })).toEqual([]);
    expect(activatedFds({ pid: 42, variables: {} })).toEqual([]);
  });

  test.for(["", "0", "-1", "x", "1e3", "99999"])("are not %j of them", (count) => {
    const variables = { LISTEN_PID: "42", LISTEN_FDS: count };
    expect(() => activatedFds({ pid: 42, variables })).toThrow(
      expect.objectContaining({ code: "CEV_INVALID" }) as Error,
    );
  });

  test("keep their file when the server ends", async () => {
    const path = join(folder, "sock");
    const outer = createServer();
    await listenOn(outer, { path });
    const { fd } = (outer as unknown as { _handle: { fd: number } })._handle;
    const script = `
      import { createServer } from "node:net";
      import { listenOn } from ${sourceOf("transport/listen.ts")};
      const server = createServer();
      console.log(JSON.stringify(await listenOn(server, { fd: 3 })));
      server.close();
    `;
    const [stdout, stderr] = runScript(script, ["ignore", "pipe", "pipe", fd]);
    expect([stdout.toString(), stderr]).toEqual(['{"fd":3}\n', ""]);
    expect(existsSync(path)).toBe(true);
    outer.close();
  });
});

describe("the file of a socket", () => {
  test("belongs to whom it was given, with the mode that was asked for", async () => {
    const path = join(folder, "sock");
    const server = createServer();
    const uid = getuid!();
    const owner = uid === 0 ? { uid: 1, gid: 2 } : { uid, gid: -1 };
    await listenOn(server, { path, mode: 0o640, owner });
    const { uid: is, mode } = statSync(path);
    expect([is, mode & 0o777]).toEqual([owner.uid, 0o640]);
    server.close();
  });

  test("has what the umask leaves where an owner but no mode is asked for", async () => {
    const path = join(folder, "sock");
    const server = createServer();
    await listenOn(server, { path, owner: { uid: getuid!(), gid: -1 } });
    const plainPath = join(folder, "plain");
    const plain = createServer();
    await listenOn(plain, { path: plainPath });
    plain.unref();
    expect(statSync(path).mode & 0o777).toBe(statSync(plainPath).mode & 0o777);
    server.close();
  });

  test("of one that died is replaced by one alone of many that start at a time", async () => {
    const path = join(folder, "sock");
    for (let round = 0; round < 5; round++) {
      const dead = createServer();
      await listenOn(dead, { path: `${path}-dead` });
      renameSync(`${path}-dead`, path);
      await new Promise((resolve) => dead.close(resolve));
      const starters = Array.from({ length: 4 }, () => createServer());
      const outcomes = await Promise.allSettled(starters.map((each) => listenOn(each, { path })));
      const winner = starters[outcomes.findIndex(({ status }) => status === "fulfilled")]!;
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      const arrived = new Promise((resolve) => winner.once("connection", resolve));
      const client = connect(path);
      ((await arrived) as Socket).destroy();
      client.destroy();
      await new Promise((resolve) => winner.close(resolve));
    }
  });

  test("of a server that is closed while it begins to listen is not left behind", async () => {
    const path = join(folder, "sock");
    const server = new NbdServer({ environment: environmentFrom(globalThis), exports: [] });
    const listening = server.listen({ path });
    await server.close();
    await expect(listening).rejects.toMatchObject({ code: "CEV_CLOSED" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(existsSync(path)).toBe(false);
  });

  test("of a live server is not touched by one that cannot have it", async () => {
    const path = join(folder, "sock");
    const first = createServer();
    await listenOn(first, { path });
    chmodSync(path, 0o600);
    const second = createServer();
    await expect(listenOn(second, { path, mode: 0o666, owner: { uid: 1, gid: 1 } })).rejects.toMatchObject({
      code: "CEV_BUSY",
    });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    first.close();
  });

  test.skipIf(getuid!() === 0)("is not given away by whoever may not", async () => {
    const server = createServer();
    const path = join(folder, "sock");
    await expect(listenOn(server, { path, owner: { uid: 0, gid: 0 } })).rejects.toMatchObject({
      code: "CEV_ACCESS",
    });
    expect(existsSync(path)).toBe(false);
  });
});

test("over two pipes all is answered that came before the input ended, and then the client has left", () => {
  const script = `
    import { Device, environmentFrom } from ${JSON.stringify(import.meta.resolve("@cev/core"))};
    import { MemoryLayer } from ${JSON.stringify(import.meta.resolve("@cev/test-kit"))};
    import { NbdServer } from ${sourceOf("server/server.ts")};
    const environment = environmentFrom(globalThis);
    const device = await Device.open(new MemoryLayer(environment, { size: 65536 }), environment);
    const server = new NbdServer({ environment, exports: [{ name: "disk", device }] });
    await server.serveStream();
    const report = await server.close();
    console.error(JSON.stringify(report));
  `;
  const input = Buffer.concat([
    clientFlags(),
    option(OptionType.startTls),
    go("disk"),
    request({ command: Command.write, payload: pattern(4096) }),
    request({ command: Command.read, length: 4096, cookie: 2 }),
  ]);
  const [stdout, stderr] = runScript(script, ["pipe", "pipe", "pipe"], input);
  expect(stderr).toBe('{"unflushed":[],"abandonedCount":0}\n');
  expect(stdout.subarray(-4096).equals(pattern(4096))).toBe(true);
});

test("a file or a terminal is no client", () => {
  const script = `
    import { inheritedStream } from ${sourceOf("transport/pipe-transport.ts")};
    try { inheritedStream({ inputFd: 0, outputFd: 1 }); } catch (error) { console.error(error.code); }
  `;
  expect(runScript(script, ["ignore", "pipe", "pipe"])[1]).toBe("CEV_INVALID\n");
});

test("a URI says what a client is to insist on", () => {
  expect(nbdUri({ path: "/run/a b" }, "x", true)).toBe("nbds+unix:///x?socket=/run/a%20b");
  expect(nbdUri({ host: "::1", port: 10_809 }, "", true)).toBe("nbds://[::1]:10809/");
});
