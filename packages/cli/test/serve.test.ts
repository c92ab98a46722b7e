import { once } from "node:events";
import { existsSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { Command, cev, driverModule, golden, hashFiles, signalNotes } from "./helpers.ts";

/** Just enough of a client: lists exports, or writes one block and leaves. */
class Client {
  readonly #socket: Socket;
  #received = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async on(path: string): Promise<Client> {
    const socket = connect(path);
    await once(socket, "connect");
    const client = new Client(socket);
    expect((await client.#take(18)).toString("latin1", 0, 16)).toBe("NBDMAGICIHAVEOPT");
    client.#send(4, 3);
    return client;
  }

  async list(): Promise<string[]> {
    this.#option(3, Buffer.alloc(0));
    const names: string[] = [];
    for (;;) {
      const { type, data } = await this.#reply();
      if (type === 1) return names;
      names.push(data.toString("utf8", 4, 4 + data.readUInt32BE(0)));
    }
  }

  /** Chooses an export (GO); the size it has. */
  async go(name: string): Promise<number> {
    const bytes = Buffer.from(name);
    const data = Buffer.alloc(4 + bytes.length + 2);
    data.writeUInt32BE(bytes.length);
    bytes.copy(data, 4);
    this.#option(7, data);
    let size = -1;
    for (;;) {
      const { type, data: info } = await this.#reply();
      if (type === 1) return size;
      if (type >= 0x8000_0000) throw new Error(`refused: ${type.toString(16)}`);
      if (info.readUInt16BE(0) === 0) size = Number(info.readBigUInt64BE(2));
    }
  }

  /** Writes, and gives the error number of the reply. */
  async write(offset: number, data: Buffer): Promise<number> {
    const head = Buffer.alloc(28);
    head.writeUInt32BE(0x2560_9513);
    head.writeUInt16BE(1, 6);
    head.writeBigUInt64BE(1n, 8);
    head.writeBigUInt64BE(BigInt(offset), 16);
    head.writeUInt32BE(data.length, 24);
    this.#socket.write(Buffer.concat([head, data]));
    return (await this.#take(16)).readUInt32BE(4);
  }

  close(): void {
    this.#socket.destroy();
  }

  #option(option: number, data: Buffer): void {
    const head = Buffer.alloc(16);
    head.write("IHAVEOPT", "latin1");
    head.writeUInt32BE(option, 8);
    head.writeUInt32BE(data.length, 12);
    this.#socket.write(Buffer.concat([head, data]));
  }

  async #reply(): Promise<{ type: number; data: Buffer }> {
    const head = await this.#take(20);
    return { type: head.readUInt32BE(12), data: await this.#take(head.readUInt32BE(16)) };
  }

  #send(length: number, value: number): void {
    const bytes = Buffer.alloc(length);
    bytes.writeUInt32BE(value);
    this.#socket.write(bytes);
  }

  async #take(length: number): Promise<Buffer> {
    while (this.#received.length < length) {
      const [bytes] = (await once(this.#socket, "data")) as [Buffer];
      this.#received = Buffer.concat([this.#received, bytes]);
    }
    const taken = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return taken;
  }
}

describe("cev serve", () => {
  test("serves one device, also as the default export, until SIGINT; what was written is there", async () => {
    const { images, folder } = golden("gpt");
    const socket = join(folder, "nbd.sock");
    const server = new Command(["serve", ...images, "--device", "vg2/data", "--socket", socket]);
    await server.until(/ready/);
    const client = await Client.on(socket);
    expect(await client.list()).toEqual(["vg2/data"]);
    expect(await client.go("")).toBe(1 << 20);
    expect(await client.write(4096, Buffer.alloc(4096, 9))).toBe(0);
    client.close();
    server.child.kill("SIGINT");
    const { status, stdout, stderr } = await server.ended;
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout.toString()).toContain(`serving vg2/data (1 MiB) at nbd+unix:///?socket=${socket}\n`);
    expect(existsSync(socket)).toBe(false);
    const copy = await cev(["copy", ...images, "--device", "vg2/data", "--to", "-"]);
    expect(copy.stdout.subarray(4096, 8192).equals(Buffer.alloc(4096, 9))).toBe(true);
  });

  test("serves every uppermost device where none is named, and then none is the default", async () => {
    const { images, folder } = golden("gpt");
    const socket = join(folder, "nbd.sock");
    const server = new Command(["serve", ...images, "--socket", socket]);
    await server.until(/ready/);
    const client = await Client.on(socket);
    expect(await client.list()).toEqual(["disk0.img/p1", "vg2/data"]);
    await expect(client.go("")).rejects.toThrow(/refused/);
    expect(await client.go("disk0.img/p1")).toBe(3 << 20);
    client.close();
    server.child.kill("SIGTERM");
    expect((await server.ended).status).toBe(0);
  });

  test("a terminal that closes ends it in good order", async () => {
    const { images, folder } = golden("gpt");
    const socket = join(folder, "nbd.sock");
    const server = new Command(["serve", ...images, "--device", "vg2/data", "--socket", socket]);
    await server.until(/ready/);
    server.child.kill("SIGHUP");
    expect(await server.ended).toMatchObject({ status: 0, stderr: "" });
  });

  test("--read-only lets nothing be written", async () => {
    const { images, folder } = golden("gpt");
    const before = hashFiles(images);
    const socket = join(folder, "nbd.sock");
    const server = new Command([
      "serve",
      ...images,
      "--device",
      "vg2/data",
      "--socket",
      socket,
      "--read-only",
    ]);
    await server.until(/ready/);
    const client = await Client.on(socket);
    await client.go("vg2/data");
    expect(await client.write(0, Buffer.alloc(512, 9))).not.toBe(0);
    client.close();
    server.child.kill("SIGINT");
    expect((await server.ended).stdout.toString()).toMatch(/read-only/);
    expect(hashFiles(images)).toBe(before);
  });

  test("listens on a free port and says which", async () => {
    const { images } = golden("gpt");
    const server = new Command(["serve", ...images, "--device", "vg2/data", "--listen", "127.0.0.1:0"]);
    await server.until(/at nbd:\/\/127\.0\.0\.1:\d+\/\n/);
    server.child.kill("SIGINT");
    expect((await server.ended).status).toBe(0);
  });

  test("refuses what it cannot do, in one line", async () => {
    const set = golden("raid5-4k");
    const socket = join(set.folder, "nbd.sock");
    const { status, stderr } = await cev(["serve", ...set.images.slice(1), "--socket", socket]);
    expect(stderr).toMatch(/^cev: md\/oracle:small-chunks: redundancy is missing.*add --degraded/m);
    expect(status).toBe(1);
    const missing = await cev(["serve", ...set.images, "--socket", "/nonexistent/nbd.sock"]);
    expect(missing.stderr).toMatch(/^cev: .*nonexistent/);
    expect(missing.stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(missing.status).toBe(1);
  });

  test("signals that come together are one, as timeout(1) sends them: all is flushed", async () => {
    const { images, folder } = golden("gpt");
    // Sent by the process itself: how long one is under way from outside depends on what else the machine does.
    const more = `process.once("SIGTERM", () => {
      for (const name of ["SIGTERM", "SIGINT"]) process.kill(process.pid, name);
    });
    const last = new Promise((resolve) => process.once("SIGINT", resolve));`;
    const submit = "void (io.op === 2 ? last : Promise.resolve()).then(() => this.lowers[0].submit(io));";
    writeFileSync(join(folder, "slow.mjs"), `${more}${driverModule(submit)}`);
    const stack = `devices:\n  d0: { driver: "@cev/hw-file", path: ${images[0]!} }\n  slow: { driver: ./slow.mjs, lower: d0 }\n`;
    writeFileSync(join(folder, "stack.yaml"), stack);
    const server = new Command(["serve", "stack.yaml", "--device", "slow", "--socket", "s"], { cwd: folder });
    await server.until(/ready/);
    server.child.kill("SIGTERM");
    const { status, stderr } = await server.ended;
    expect(stderr).toBe("");
    expect(status).toBe(0);
  });

  test("a second signal ends it at once, and what was not flushed is told", async () => {
    const { images, folder } = golden("gpt");
    const submit = "if (io.op !== 2) this.lowers[0].submit(io);";
    writeFileSync(join(folder, "stuck.mjs"), `${signalNotes(1)}${driverModule(submit)}`);
    const stack = `devices:\n  d0: { driver: "@cev/hw-file", path: ${images[0]!} }\n  stuck: { driver: ./stuck.mjs, lower: d0 }\n`;
    writeFileSync(join(folder, "stack.yaml"), stack);
    const server = new Command(["serve", "stack.yaml", "--device", "stuck", "--socket", "s"], {
      cwd: folder,
    });
    await server.until(/ready/);
    server.child.kill("SIGINT");
    while (!existsSync(join(folder, "signal1"))) await later(20);
    const early = await Promise.race([server.ended.then(() => "ended"), later(700)]);
    expect(early).toBe("waiting");
    server.child.kill("SIGINT");
    const { status, stderr } = await server.ended;
    expect(stderr).toMatch(/^cev: stuck was not flushed/);
    expect(status).toBe(1);
  });

  test("a flush that fails is told, and makes the exit status 1", async () => {
    const { images, folder } = golden("gpt");
    const submit =
      'if (io.op !== 2) this.lowers[0].submit(io); else io.fail("CEV_IO", "the cache is gone", "bad");';
    writeFileSync(join(folder, "bad.mjs"), driverModule(submit));
    const stack = `devices:\n  d0: { driver: "@cev/hw-file", path: ${images[0]!} }\n  bad: { driver: ./bad.mjs, lower: d0 }\n`;
    writeFileSync(join(folder, "stack.yaml"), stack);
    const server = new Command(["serve", "stack.yaml", "--device", "bad", "--socket", "s"], { cwd: folder });
    await server.until(/ready/);
    server.child.kill("SIGTERM");
    const { status, stderr } = await server.ended;
    expect(stderr).toMatch(/^cev: bad was not flushed: .*the cache is gone/);
    expect(status).toBe(1);
  });

  test.each([["--degraded"], ["--read-only"]])(
    "a stack of nothing but a lock is a failure that names it, %j",
    async (...args) => {
      const { images, folder } = golden("luks-pbkdf2");
      const serving = new Command(["serve", ...images, "--socket", join(folder, "s"), ...args]);
      onTestFinished(() => void serving.child.kill("SIGKILL"));
      expect(await serving.ended).toMatchObject({
        status: 1,
        stdout: Buffer.alloc(0),
        stderr: expect.stringMatching(
          /^cev: warning: .*\ncev: nothing to serve: luks\/[-0-9a-f]+ is locked; give a passphrase or a key file\n$/,
        ) as string,
      });
    },
  );

  test.each([
    { isVerbose: false, lines: [], says: /ready[^\n]*\n$/ },
    {
      isVerbose: true,
      lines: [expect.stringMatching(/^cev: warning: client 2 \(127\.0\.0\.1:\d+\): /) as string],
      says: /\nclient 1 \(127\.0\.0\.1:\d+\): left after \d\.\d s without an export\n$/,
    },
  ])(
    "who goes away without an export is told of only with --verbose: %j",
    async ({ isVerbose, lines, says }) => {
      const { images } = golden("gpt");
      const args = ["serve", ...images, "--device", "vg2/data", "--listen", "127.0.0.1:0"];
      const server = new Command(isVerbose ? [...args, "--verbose"] : args);
      const [, port] = await server.until(/at nbd:\/\/127\.0\.0\.1:(\d+)\/\n.*ready/s);
      const visit = async (leave: (socket: Socket) => void): Promise<void> => {
        const socket = connect(Number(port), "127.0.0.1");
        socket.on("error", () => undefined);
        const gone = once(socket, "close");
        await once(socket, "data");
        leave(socket);
        await gone;
      };
      await visit((socket) => socket.resetAndDestroy());
      if (isVerbose) await server.until(/client 1 .*\n/);
      await visit((socket) => socket.write("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n"));
      if (isVerbose) await server.untilError(/client 2 .*\n/);
      server.child.kill("SIGINT");
      const { status, stdout, stderr } = await server.ended;
      expect(stderr.split("\n").filter((line) => line !== "")).toEqual(lines);
      expect(stdout.toString()).toMatch(says);
      expect(status).toBe(0);
    },
  );

  test("a stack with nothing to serve is a failure", async () => {
    const { images, folder } = golden("luks-pbkdf2");
    const { status, stderr } = await cev([
      "serve",
      ...images,
      "--device",
      "nothing",
      "--socket",
      join(folder, "s"),
    ]);
    expect(stderr).toMatch(/there is no device nothing/);
    expect(status).toBe(1);
  });
});

function later(ms: number): Promise<string> {
  return new Promise((resolve) => setTimeout(resolve, ms, "waiting"));
}
