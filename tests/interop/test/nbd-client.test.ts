import { execFileSync, spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { standardDrivers } from "@cev/cli";
import { Device, environmentFrom, isCevError } from "@cev/core";
import { NbdLayer } from "@cev/nbd";
import type { NbdOptions } from "@cev/nbd";
import { openImages } from "@cev/stack";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { cev } from "../src/cev.ts";
import { takesConnections } from "../src/takes-connections.ts";
import { describeWith } from "../src/tools.ts";

const SIZE = 8 * 1024 * 1024;

let folder: string;
let children: ChildProcess[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "cev-nbd-client-"));
  children = [];
});

afterEach(async () => {
  await Promise.all(children.map((child) => ended(child, "SIGKILL")));
  rmSync(folder, { recursive: true });
});

/** Starts a server, and waits for its socket. */
async function start(command: string, args: readonly string[], socket: string): Promise<ChildProcess> {
  const child = spawn(command, args, { stdio: "ignore" });
  children.push(child);
  while (!(await takesConnections(socket))) {
    if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return child;
}

function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  const gone = new Promise<void>((resolve) => void child.once("exit", () => resolve()));
  child.kill(signal);
  return gone;
}

function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => index * 31 + (index >> 8) * 7 + seed);
}

async function opened(uri: string, options: Partial<NbdOptions> = {}): Promise<Device> {
  const environment = environmentFrom(globalThis);
  return Device.open(await NbdLayer.at(environment, { uri, ...options }), environment);
}

/** A comparison that shows both would take longer than the test. */
function expectSame(found: Uint8Array, wanted: Uint8Array): void {
  expect(Buffer.compare(found, wanted)).toBe(0);
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return "done";
  } catch (error) {
    return isCevError(error) ? error.code : "no code";
  }
}

/** Writes and reads all kinds of things, of any alignment. */
async function exercise(device: Device): Promise<void> {
  const data = pattern(1_000_003, 1);
  await device.write(12_345, data);
  await device.flush();
  expectSame(await device.read(12_345, data.length), data);
  await device.writeZeroes(65_536, 131_072);
  expect((await device.read(65_536, 131_072)).every((byte) => byte === 0)).toBe(true);
  await device.write(4 * 1024 * 1024, pattern(4096, 2), { fua: true });
  await Promise.all(
    Array.from({ length: 100 }, (_, index) => device.write(5_242_880 + index * 4096, pattern(4096, index))),
  );
  const several = await Promise.all(
    Array.from({ length: 100 }, (_, index) => device.read(5_242_880 + index * 4096, 4096)),
  );
  for (const [index, bytes] of several.entries()) expectSame(bytes, pattern(4096, index));
}

describeWith(["nbdkit", "qemu-nbd"], "servers of others as devices", () => {
  const nbdkits: readonly [string, readonly string[]][] = [
    ["nbdkit", []],
    ["nbdkit without structured replies", ["--no-sr"]],
    ["nbdkit without the fixed newstyle", ["--mask-handshake=0"]],
    ["nbdkit that cannot flush at once", ["--filter=fua", "fuamode=emulate"]],
    [
      "nbdkit with blocks of 4 KiB",
      ["--filter=blocksize-policy", "blocksize-minimum=4096", "blocksize-error-policy=error"],
    ],
    ["nbdkit that cannot zero", ["--filter=nozero"]],
  ];
  test.each(nbdkits)("%s", async (_name, words) => {
    const socket = join(folder, "s");
    const filters = words.filter((word) => word.startsWith("--"));
    const parameters = words.filter((word) => !word.startsWith("--"));
    await start("nbdkit", ["-f", "-U", socket, ...filters, "memory", "8M", ...parameters], socket);
    await using device = await opened(`nbd+unix:///?socket=${socket}`, { connections: 3 });
    expect(device.size).toBe(SIZE);
    await exercise(device);
  });

  test("qemu-nbd, which tells holes", async () => {
    const socket = join(folder, "s");
    const image = join(folder, "disk.img");
    writeFileSync(image, "");
    truncateSync(image, SIZE);
    await start("qemu-nbd", ["-t", "-e", "4", "-f", "raw", "-x", "disk", "-k", socket, image], socket);
    await using device = await opened(`nbd+unix:///disk?socket=${socket}`);
    const before = await device.extents(0, SIZE);
    expect(before.every(({ isHole, isZero }) => isHole && isZero)).toBe(true);
    await exercise(device);
    const after = await device.extents(4 * 1024 * 1024, 4096);
    expect(after.some(({ isZero }) => isZero)).toBe(false);
    expect(await codeOf(opened(`nbd+unix:///other?socket=${socket}`))).toBe("CEV_NOT_FOUND");
  });

  test("an oldstyle server is refused in words", async () => {
    const socket = join(folder, "s");
    await start("nbdkit", ["-f", "-o", "-U", socket, "memory", "8M"], socket);
    expect(await codeOf(opened(`nbd+unix:///?socket=${socket}`))).toBe("CEV_NOT_SUPPORTED");
  });

  test("a server that is killed and comes back over a file loses nothing that was answered", async () => {
    const socket = join(folder, "s");
    const image = join(folder, "disk.img");
    writeFileSync(image, "");
    truncateSync(image, SIZE);
    const words = ["-f", "-U", socket, "file", image];
    let server = await start("nbdkit", words, socket);
    const device = await opened(`nbd+unix:///?socket=${socket}`);
    const wanted = new Uint8Array(SIZE);
    for (let round = 0; round < 3; round++) {
      const writes = Array.from({ length: 60 }, (_, index) => {
        const data = pattern(8192, round * 100 + index);
        const offset = (round * 60 + index) * 16_384;
        wanted.set(data, offset);
        return device.write(offset, data);
      });
      await ended(server, "SIGKILL");
      rmSync(socket, { force: true });
      server = await start("nbdkit", words, socket);
      await Promise.all(writes);
    }
    await device.flush();
    expectSame(await device.read(0, SIZE), wanted);
    await device.close();
    expectSame(readFileSync(image), wanted);
  });

  test("a server that forgets all when it is killed gets again what was not flushed", async () => {
    const socket = join(folder, "s");
    let server = await start("nbdkit", ["-f", "-U", socket, "memory", "8M"], socket);
    const device = await opened(`nbd+unix:///?socket=${socket}`);
    await device.write(4096, pattern(100_000, 1));
    await ended(server, "SIGKILL");
    rmSync(socket, { force: true });
    server = await start("nbdkit", ["-f", "-U", socket, "memory", "8M"], socket);
    expectSame(await device.read(4096, 100_000), pattern(100_000, 1));
    await device.close();
    await ended(server, "SIGKILL");
  });

  test("a mirror over two servers lives on when one of them is killed", async () => {
    const images = ["a.img", "b.img"].map((name) => join(folder, name));
    const made = await cev([
      "raid",
      "create",
      "data",
      "--level",
      "1",
      "--assume-clean",
      "--make-images",
      "8M",
      ...images,
    ]);
    expect(made.stderr).toBe("");
    const environment = environmentFrom(globalThis);
    const sockets = images.map((_, index) => join(folder, `s${index}`));
    const servers: ChildProcess[] = [];
    for (const [index, image] of images.entries())
      servers.push(await start("nbdkit", ["-f", "-U", sockets[index]!, "file", image], sockets[index]!));
    const members = await Promise.all(
      sockets.map(async (socket, index) => ({
        name: `m${index}`,
        layer: await NbdLayer.at(environment, {
          uri: `nbd+unix:///?socket=${socket}`,
          reconnectTimeoutMs: 300,
        }),
      })),
    );
    const stack = await openImages(members, { environment, drivers: standardDrivers(), isReadOnly: false });
    const [array] = stack.uppermost;
    const device = await Device.open(array!.layer!, environment);
    const data = pattern(1_000_000, 3);
    await device.write(0, data.subarray(0, 500_000));
    await ended(servers[1]!, "SIGKILL");
    await device.write(500_000, data.subarray(500_000));
    await device.flush();
    expectSame(await device.read(0, data.length), data);
    await device.close();
    await stack.close().catch(() => undefined);
    await ended(servers[0]!, "SIGTERM");
    // What is left on the member that lived is all of it.
    const copied = await cev(["copy", images[0]!, "--device", "md/data", "--to", join(folder, "out")]);
    expect(copied.status, copied.stderr).toBe(0);
    expectSame(readFileSync(join(folder, "out")).subarray(0, data.length), data);
  });

  test("the command copies to and from them, and looks into them", async () => {
    const image = join(folder, "in.img");
    writeFileSync(image, pattern(SIZE, 9));
    const socket = join(folder, "s");
    const uri = `nbd+unix:///?socket=${socket}`;
    await start("nbdkit", ["-f", "-U", socket, "memory", "8M"], socket);
    expect(await cev(["copy", image, "--device", "in.img", "--to", uri])).toMatchObject({ status: 0 });
    const out = join(folder, "out.img");
    expect(await cev(["copy", uri, "--device", "s", "--to", out])).toMatchObject({ status: 0 });
    expect(readFileSync(out).equals(readFileSync(image))).toBe(true);
    const { stdout } = await cev(["inspect", uri]);
    expect(stdout).toMatch(/^s +8 MiB +nbd/m);
  });
});

describeWith(["nbdkit", "qemu-nbd", "openssl"], "servers that speak TLS", () => {
  let keys: string;
  let pki: string;

  beforeAll(() => {
    const made = mkdtempSync(join(tmpdir(), "cev-nbd-pki-"));
    pki = join(made, "pki");
    keys = join(made, "keys.psk");
    mkdirSync(pki);
    const openssl = (...words: readonly string[]): string =>
      execFileSync("openssl", words, { cwd: pki, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
    const authority = ["-addext", "basicConstraints=critical,CA:TRUE", "-days", "30", "-subj", "/CN=ca"];
    openssl("req", "-x509", ...newKey, "-keyout", "ca-key.pem", "-out", "ca-cert.pem", ...authority);
    for (const name of ["server", "client"]) {
      const lines = `subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\nextendedKeyUsage=${name}Auth\n`;
      writeFileSync(join(pki, `${name}.ext`), lines);
      openssl(
        "req",
        ...newKey,
        "-keyout",
        `${name}-key.pem`,
        "-out",
        `${name}.csr`,
        "-subj",
        "/CN=localhost",
      );
      const signed = ["-CA", "ca-cert.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "30"];
      openssl(
        "x509",
        "-req",
        "-in",
        `${name}.csr`,
        ...signed,
        "-out",
        `${name}-cert.pem`,
        "-extfile",
        `${name}.ext`,
      );
    }
    writeFileSync(keys, `alice:${"5a".repeat(32)}\n`);
  });

  afterAll(() => rmSync(join(pki, ".."), { recursive: true }));

  test("with a key that both sides have", async () => {
    const socket = join(folder, "s");
    await start("nbdkit", ["-f", "-U", socket, "--tls=require", `--tls-psk=${keys}`, "memory", "8M"], socket);
    const uri = `alice@/?socket=${socket}`;
    await using device = await opened(`nbds+unix://${uri}&tls-psk-file=${keys}`);
    await exercise(device);
    expect(await codeOf(opened(`nbd+unix:///?socket=${socket}`))).toBe("CEV_ACCESS");
    const wrong = join(folder, "wrong.psk");
    writeFileSync(wrong, `alice:${"a5".repeat(32)}\nbob:${"5a".repeat(32)}\n`);
    expect(await codeOf(opened(`nbds+unix://${uri}&tls-psk-file=${wrong}`))).not.toBe("done");
    expect(await codeOf(opened(`nbds+unix://eve@/?socket=${socket}&tls-psk-file=${wrong}`))).toBe(
      "CEV_NOT_FOUND",
    );
  });

  test("with certificates, the client's as well", async () => {
    const socket = join(folder, "s");
    const words = ["--tls=require", "--tls-verify-peer", `--tls-certificates=${pki}`];
    await start("nbdkit", ["-f", "-U", socket, ...words, "memory", "8M"], socket);
    const uri = `nbds+unix:///?socket=${socket}&tls-certificates=${pki}`;
    await using device = await opened(uri);
    await exercise(device);
    expect(await codeOf(opened(`${uri}&tls-hostname=elsewhere`))).toBe("CEV_ACCESS");
    // Whom Node believes by itself is nobody who signed this.
    expect(await codeOf(opened(`nbds+unix:///?socket=${socket}`))).toBe("CEV_ACCESS");
  });

  test("qemu-nbd with certificates", async () => {
    const socket = join(folder, "s");
    const image = join(folder, "disk.img");
    writeFileSync(image, "");
    truncateSync(image, SIZE);
    const object = `tls-creds-x509,id=tls0,endpoint=server,verify-peer=yes,dir=${pki}`;
    const words = ["--object", object, "--tls-creds", "tls0", "-t", "-f", "raw", "-k", socket, image];
    await start("qemu-nbd", words, socket);
    await using device = await opened(`nbds+unix:///?socket=${socket}&tls-certificates=${pki}`);
    await exercise(device);
  });

  test("whoever wants TLS does not go on without", async () => {
    const socket = join(folder, "s");
    await start("nbdkit", ["-f", "-U", socket, "memory", "8M"], socket);
    const uri = `?socket=${socket}&tls-certificates=${pki}`;
    expect(await codeOf(opened(`nbds+unix:///${uri}`))).toBe("CEV_ACCESS");
    expect(await codeOf(opened(`nbd+unix:///${uri}`))).toBe("CEV_ACCESS");
  });
});
