import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { join } from "node:path";
import { INTERFACE_VERSION, LayerBase, environmentFrom } from "@cev/core";
import type { Device, Driver, Io, Layer, LayerDescription, Limits, Support } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { openStack } from "@cev/stack";
import type { Stack } from "@cev/stack";
import { describe, expect, onTestFinished, test } from "vitest";
import { StackControlServer } from "../src/control/server.ts";
import { Command, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

const environment = environmentFrom(globalThis);

/** Hands everything on; keeps requests for as long as it is told to. */
class HangingLayer extends LayerBase {
  readonly name = "hanging";
  readonly limits: Limits;
  readonly support: Support;
  isHanging = false;
  readonly #waiting: Io[] = [];
  readonly #lower: Layer;

  constructor(lower: Layer) {
    super([lower]);
    this.limits = lower.limits;
    this.support = lower.support;
    this.#lower = lower;
  }

  submit(io: Io): void {
    if (this.isHanging) this.#waiting.push(io);
    else this.#lower.submit(io);
  }

  goOn(): void {
    this.isHanging = false;
    for (const io of this.#waiting.splice(0)) this.#lower.submit(io);
  }

  describe(): LayerDescription {
    return { driver: "hanging", options: {}, lowers: [this.#lower.describe()] };
  }
}

const filterDriver: Driver = {
  name: "filter",
  interfaceVersion: INTERFACE_VERSION,
  summary: "hands everything through",
  options: { "~standard": { version: 1, vendor: "test", validate: (value) => ({ value }) } },
  optionsSchema: { type: "object", properties: { delayMs: {}, label: {} } },
  lowers: { countMin: 1, countMax: 1 },
  isFilter: true,
  open: ({ lowers }) =>
    Promise.resolve([{ name: null, layer: new HangingLayer(lowers[0]!.layer), state: "clean", details: {} }]),
};

interface Served {
  readonly path: string;
  readonly stack: Stack;
  readonly device: Device;
  readonly disk: HangingLayer;
  readonly server: StackControlServer;
}

async function served(): Promise<Served> {
  const path = join(temporaryFolder(), "control");
  const disk = new HangingLayer(new RamdiskLayer(environment, { size: 1 << 20 }));
  const stack = await openStack(
    { devices: { low: { driver: "filter", lower: "d" } }, exports: { out: "low" } },
    { environment, drivers: [filterDriver], isLive: true, layers: [{ name: "d", layer: disk }] },
  );
  const server = new StackControlServer(stack.live!, "stack.yaml");
  await server.listen(path);
  const device = await stack.open("out");
  onTestFinished(async () => {
    disk.goOn();
    await server.close();
    await stack.close();
  });
  return { path, stack, device, disk, server };
}

/** A client that speaks the protocol by hand. */
class Talker {
  readonly lines: Record<string, unknown>[] = [];
  readonly socket: Socket;
  #rest = "";

  constructor(path: string) {
    this.socket = connect(path);
    onTestFinished(() => void this.socket.destroy());
    this.socket.on("error", () => undefined);
    this.socket.setEncoding("utf8").on("data", (text: string) => {
      const lines = (this.#rest + text).split("\n");
      this.#rest = lines.pop()!;
      this.lines.push(...lines.map((line) => JSON.parse(line) as Record<string, unknown>));
    });
  }

  async until(isIt: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
    for (;;) {
      const line = this.lines.find(isIt);
      if (line !== undefined) return line;
      await once(this.socket, "data");
    }
  }

  /** Sends a line, and gives what answers it. */
  async ask(message: Record<string, unknown> & { readonly id: number }): Promise<Record<string, unknown>> {
    this.socket.write(`${JSON.stringify(message)}\n`);
    return this.until((line) => line["id"] === message.id && !("event" in line));
  }
}

const cev = async (...args: string[]): Promise<{ status: number | null; out: string; err: string }> => {
  const { status, stdout, stderr } = await run(["control", ...args]);
  return { status, out: stdout.toString(), err: stderr };
};

describe("cev control", () => {
  test("shows a stack, puts a layer in, counts, and takes it out again", async () => {
    const { path, device } = await served();
    expect((await cev(path, "tree")).out).toMatch(
      /^NAME.*\nd .*\n└─ low .*filter +clean +0\nexport out: low\n$/,
    );
    expect(await cev(path, "insert", "--above", "out", "--driver", "filter", "--name", "lid")).toMatchObject({
      status: 0,
      out: "lid is put in\n",
    });
    await device.write(0, new Uint8Array(4096));
    expect((await cev(path, "tree")).out).toContain("   └─ lid");
    expect((await cev(path, "stats")).out).toMatch(/lid +0 +0 B +1 +4096 B|lid +0 +\S+ +\S* *1 +4/);
    const described = JSON.parse((await cev(path, "describe")).out) as { exports: unknown };
    expect(described.exports).toEqual({ out: "lid" });
    expect(
      (
        await cev(
          path,
          "replace",
          "lid",
          "--driver",
          "filter",
          "--option",
          "delayMs=5",
          "--option",
          "label=a b",
        )
      ).out,
    ).toBe("lid is exchanged\n");
    const replaced = JSON.parse((await cev(path, "describe")).out) as { devices: { lid: unknown } };
    expect(replaced.devices.lid).toEqual({ driver: "filter", lower: "low", delayMs: 5, label: "a b" });
    expect((await cev(path, "remove", "lid", "--json")).out).toBe('{\n  "name": "lid"\n}\n');
    expect((await cev(path, "tree")).out).not.toContain("lid");
  });

  test("shows requests as trees", async () => {
    const { path, device } = await served();
    const isOver = { value: false };
    const tracing = cev(path, "trace", "--count", "2", "--op", "write").finally(() => (isOver.value = true));
    while (!isOver.value) {
      await device.write(4096, new Uint8Array(512));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const { out } = await tracing;
    expect(
      out
        .split("\n")
        .slice(0, 5)
        .map((line) => line.replaceAll(/\d+ µs/g, "T")),
    ).toEqual([
      "write 4096+512: done, T",
      "  ↓ low at 4096, T",
      "  ↓ d at 4096, T",
      "  ↑ d at 4096, T",
      "  ↑ low at 4096, T",
    ]);
  });

  test.for([
    { args: ["jump"], says: /no command jump: use tree, describe/ },
    { args: ["insert", "--driver", "filter"], says: /insert needs --above/ },
    { args: ["insert", "--above", "d"], says: /insert needs --driver/ },
    { args: ["insert", "--above", "d", "--driver", "x", "--option", "y"], says: /--option takes KEY=VALUE/ },
    {
      args: ["insert", "--above", "d", "--driver", "x", "--options", "[1]"],
      says: /--options takes a JSON object/,
    },
    { args: ["remove"], says: /remove needs the name/ },
    { args: ["tree", "d"], says: /tree takes no name/ },
    { args: ["tree", "--seconds", "5"], says: /--seconds does not belong to tree/ },
    { args: ["trace", "--op", "erase"], says: /--op takes read/ },
    { args: ["stats", "--seconds", "-1"], says: /--seconds takes a number/ },
  ])("is called the wrong way: $args", async ({ args, says }) => {
    const { status, err } = await cev("/nowhere", ...args);
    expect({ status, err }).toEqual({ status: 2, err: expect.stringMatching(says) as unknown });
  });

  test("says what the server says, and where there is none", async () => {
    const { path } = await served();
    expect((await cev(path, "remove", "d")).err).toMatch(/d stands on nothing/);
    expect((await cev(path, "insert", "--above", "d9", "--driver", "filter")).err).toMatch(
      /no device d9.*there are d, low/,
    );
    expect((await cev(join(path, "../none"), "tree")).err).toMatch(/no stack is served there/);
    expect((await cev("x".repeat(120), "tree")).err).toMatch(/^cev: x+: no socket can have so long a path$/m);
  });

  test("says at once that another kind of server is there", async () => {
    const path = join(temporaryFolder(), "nbd.sock");
    const other = createServer((socket) => void socket.write("NBDMAGICIHAVEOPT\0\u0003"));
    await new Promise<void>((resolve) => void other.listen(path, resolve));
    onTestFinished(() => void other.close());
    const { status, err } = await cev(path, "tree");
    expect(err).toMatch(
      /nbd\.sock: no stack is served there, but something else is; start one with cev serve/,
    );
    expect(status).toBe(1);
  });

  test("ends cev serve at once where its place is taken, and leaves no socket", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "disk.img"), new Uint8Array(4096));
    writeFileSync(join(folder, "taken"), "mine");
    const args = ["serve", "disk.img", "--socket", "nbd.sock", "--control"];
    for (const control of ["taken", "none/control", "nbd.sock"]) {
      const { status, stdout, stderr } = await new Command([...args, control], { cwd: folder }).ended;
      expect({ status, stdout: stdout.toString() }).toEqual({ status: 1, stdout: "" });
      expect(stderr).toMatch(/^cev: .*(taken|none|nbd\.sock)/m);
      expect(existsSync(join(folder, "nbd.sock"))).toBe(false);
    }
    expect(readFileSync(join(folder, "taken"), "utf8")).toBe("mine");
  });

  test("goes with cev serve at an address, and not with a client at standard input", async () => {
    const file = join(temporaryFolder(), "disk.img");
    writeFileSync(file, new Uint8Array(4096));
    const { status, stderr } = await run(["serve", file, "--stdio", "--control", "c"]);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: expect.stringMatching(/--control goes with/) as unknown,
    });
  });
});

describe("the control socket", () => {
  test("is for its owner, says who it is, and takes several requests at a time", async () => {
    const { path, disk, device } = await served();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const talker = new Talker(path);
    expect(await talker.until((line) => "protocol" in line)).toEqual({
      protocol: "cev-control",
      version: 1,
      stack: "stack.yaml",
      pid: process.pid,
    });
    disk.isHanging = true;
    const read = device.read(0, 512);
    const inserting = talker.ask({ id: 7, command: "insert", above: "d", driver: "filter" });
    await talker.until((line) => "event" in line);
    expect(await talker.ask({ id: 8, command: "tree" })).toHaveProperty("answer.devices[0].isHeld", true);
    talker.socket.write('{"id":7,"command":"tree"}\n');
    expect(await talker.until((line) => line["id"] === null)).toHaveProperty("error.code", "CEV_PROTOCOL");
    talker.lines.length = 0;
    disk.goOn();
    await read;
    expect(await inserting).toEqual({ id: 7, answer: { name: "d+filter" } });
    expect(talker.lines.map((line) => line["event"]).filter(Boolean)).toEqual([
      { state: "flushing", inFlight: 0 },
      { state: "changing", inFlight: 0 },
    ]);
  });

  test("calls a change off when it is told to, when it took too long, and when its client leaves", async () => {
    const { path, disk, device, stack } = await served();
    const talker = new Talker(path);
    disk.isHanging = true;
    const read = device.read(0, 512);
    const late = await talker.ask({ id: 1, command: "insert", above: "d", driver: "filter", timeoutMs: 5 });
    expect(late).toHaveProperty("error.code", "CEV_TIMED_OUT");
    talker.lines.length = 0;
    const inserting = talker.ask({ id: 2, command: "insert", above: "d", driver: "filter" });
    await talker.until((line) => "event" in line);
    expect(await talker.ask({ id: 3, command: "cancel", of: 2 })).toEqual({
      id: 3,
      answer: { isFound: true },
    });
    expect(await inserting).toHaveProperty("error.code", "CEV_CANCELLED");
    talker.lines.length = 0;
    talker.socket.write('{"id":4,"command":"insert","above":"d","driver":"filter"}\n');
    await talker.until((line) => "event" in line);
    talker.socket.destroy();
    disk.goOn();
    await read;
    expect(stack.live!.tree().devices.map(({ name }) => name)).toEqual(["d", "low"]);
  });

  test.for([
    { line: "no JSON", code: "CEV_PROTOCOL", says: /not a line of this protocol/ },
    { line: "[1]", code: "CEV_PROTOCOL", says: /not a line of this protocol/ },
    { line: '{"command":"tree"}', code: "CEV_PROTOCOL", says: /has an id/ },
    { line: '{"id":-1,"command":"tree"}', code: "CEV_PROTOCOL", says: /has an id/ },
    { line: '{"id":1,"command":"__proto__"}', code: "CEV_NOT_SUPPORTED", says: /not known here/ },
    { line: '{"id":1,"command":"insert","above":"d"}', code: "CEV_PROTOCOL", says: /insert needs driver/ },
    {
      line: '{"id":1,"command":"remove","device":5}',
      code: "CEV_PROTOCOL",
      says: /device of remove makes no sense/,
    },
    {
      line: '{"id":1,"command":"replace","device":"low","driver":"filter","name":"x"}',
      code: "CEV_PROTOCOL",
      says: /replace does not know name/,
    },
    { line: '{"id":1,"command":"stats","seconds":-1}', code: "CEV_PROTOCOL", says: /seconds of stats/ },
    {
      line: '{"id":1,"command":"trace","count":1,"speed":2}',
      code: "CEV_PROTOCOL",
      says: /does not know speed/,
    },
  ])("answers $line with an error, and goes on", async ({ line, code, says }) => {
    const { path } = await served();
    const talker = new Talker(path);
    talker.socket.write(`${line}\n`);
    const { error } = await talker.until((one) => "error" in one);
    expect(error).toMatchObject({ code, message: expect.stringMatching(says) as unknown });
    expect(await talker.ask({ id: 5, command: "tree" })).toHaveProperty("answer.exports", { out: "low" });
  });

  test("ends with a client whose line has no end", async () => {
    const { path } = await served();
    const talker = new Talker(path);
    talker.socket.write("x".repeat((1 << 20) + 1));
    expect(await talker.until((line) => "error" in line)).toMatchObject({
      id: null,
      error: { code: "CEV_PROTOCOL" },
    });
    await once(talker.socket, "close");
  });

  test("drops the traces that a client does not take, counts them, and keeps the memory", async () => {
    const { path, device } = await served();
    const talker = new Talker(path);
    await talker.until((line) => "protocol" in line);
    talker.socket.write('{"id":1,"command":"trace","count":100000}\n');
    await device.write(0, new Uint8Array(512));
    const wake = setInterval(() => void device.read(0, 512), 1);
    await talker.until((line) => "event" in line);
    clearInterval(wake);
    talker.socket.pause();
    for (let count = 0; count < 4000; count++) await device.read(0, 512);
    talker.socket.resume();
    const answer = talker.ask({ id: 2, command: "cancel", of: 1 });
    await answer;
    const counts = (await talker.until((line) => line["id"] === 1 && "answer" in line))["answer"] as {
      seen: number;
      dropped: number;
    };
    expect(counts.seen).toBeGreaterThan(0);
    expect(counts.dropped).toBeGreaterThan(500);
  });

  test("has no more to wait for with every answer that a client does not take", async () => {
    const { path } = await served();
    const warnings: Error[] = [];
    const onWarning = (warning: Error): void => void warnings.push(warning);
    process.on("warning", onWarning);
    onTestFinished(() => void process.off("warning", onWarning));
    const talker = new Talker(path);
    await talker.until((line) => "protocol" in line);
    talker.socket.pause();
    const count = 20_000;
    for (let id = 1; id <= count; id++) talker.socket.write(`{"id":${id},"command":"tree"}\n`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    talker.socket.resume();
    await talker.until((line) => line["id"] === count && "answer" in line);
    expect(warnings).toEqual([]);
  });

  test("is closed although a client does not read", async () => {
    const { path, device, server } = await served();
    const talker = new Talker(path);
    await talker.until((line) => "protocol" in line);
    talker.socket.pause();
    talker.socket.write('{"id":1,"command":"trace","count":100000}\n');
    for (let count = 0; count < 4000; count++) {
      await device.read(0, 512);
      if (count % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    await server.close();
    const closed = new Promise((resolve) => talker.socket.on("close", resolve));
    talker.socket.resume();
    await closed;
  });
});
