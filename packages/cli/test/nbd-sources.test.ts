import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import { NbdServer, readPskFile } from "@cev/nbd";
import type { NbdServerOptions } from "@cev/nbd";
import { openSource } from "@cev/stack";
import { describe, expect, onTestFinished, test } from "vitest";
import { standardDrivers } from "../src/standard-drivers.ts";
import { golden, hashFiles, layerHash, sha256, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

const environment = environmentFrom(globalThis);
const drivers = standardDrivers();

interface Served {
  readonly socket: string;
  /** The export of an image, by the name of its file. */
  readonly uri: (name: string, scheme?: string) => string;
  readonly close: () => Promise<void>;
}

/** Images as exports named like their files, on a Unix socket, until the test ends. */
async function serveImages(
  images: readonly string[],
  settings: Partial<NbdServerOptions> & { readonly isReadOnly?: boolean } = {},
): Promise<Served> {
  const { isReadOnly = false, ...options } = settings;
  const exports: { name: string; device: Device }[] = [];
  for (const image of images) {
    const { name, layer } = await openSource(image, { environment, drivers, isReadOnly });
    exports.push({ name, device: await Device.open(layer, environment, { name, isReadOnly }) });
  }
  const server = new NbdServer({ environment, exports, defaultExport: null, ...options });
  const socket = join(temporaryFolder(), "s");
  await server.listen({ path: socket });
  let closed: Promise<void> | null = null;
  const closeAll = async (): Promise<void> => {
    await server.close();
    for (const { device } of exports) await device.close();
  };
  const close = (): Promise<void> => (closed ??= closeAll());
  onTestFinished(close);
  const uri = (name: string, scheme = "nbd+unix"): string => `${scheme}:///${name}?socket=${socket}`;
  return { socket, uri, close };
}

describe("exports of NBD servers in place of images", () => {
  test("an array with LUKS and a volume group on it is found behind four exports, and nothing is written", async () => {
    const set = golden("stack");
    const before = hashFiles(set.images);
    const { uri, close } = await serveImages(set.images, { isReadOnly: true });
    const sources = set.images.map((_, index) => uri(`disk${index}.img`));
    const looked = await run(["inspect", ...sources, ...set.keys, "--json"]);
    expect(looked).toMatchObject({ status: 0, stderr: "" });
    const { devices, problems } = JSON.parse(looked.stdout.toString()) as {
      devices: { name: string; driver: string; details: { uri?: string } }[];
      problems: unknown[];
    };
    expect(problems).toEqual([]);
    expect(devices.map(({ name, driver }) => `${name} ${driver}`)).toEqual([
      ...set.images.map((_, index) => `disk${index}.img @cev/nbd`),
      "md/oracle:stack @cev/raid",
      expect.stringMatching(/^luks\/\S+ @cev\/crypt$/),
      "vg0/root @cev/lvm",
      "vg0/other @cev/lvm",
    ]);
    expect(devices[0]!.details.uri).toBe(sources[0]);
    const out = join(set.folder, "root.img");
    const copied = await run(["copy", ...sources, ...set.keys, "--device", "vg0/root", "--to", out]);
    expect(copied).toMatchObject({ status: 0, stderr: "" });
    expect(hashFiles([out])).toBe(layerHash(set, "vg0/root"));
    await close();
    expect(hashFiles(set.images)).toBe(before);
  });

  test("what is written into a volume is in the server's image", async () => {
    const set = golden("gpt");
    const { uri, close } = await serveImages(set.images);
    const bytes = Buffer.alloc(70_000, "volume ");
    const source = uri("disk0.img");
    const to = ["--device", "vg2/data", "--from", "-"];
    expect(await run(["copy", source, ...to], { input: bytes })).toMatchObject({ status: 0, stderr: "" });
    await close();
    const out = join(set.folder, "data.img");
    await run(["copy", ...set.images, "--device", "vg2/data", "--to", out]);
    expect(readFileSync(out).subarray(0, bytes.length).equals(bytes)).toBe(true);
  });

  test("a stack file names one like an image, with its options", async () => {
    const set = golden("gpt");
    const { uri } = await serveImages(set.images);
    const stack = {
      devices: {
        far: { driver: "@cev/nbd", uri: uri("disk0.img"), connections: 2, readOnly: true },
        table: { driver: "partitions", lower: "far" },
      },
    };
    const file = join(set.folder, "stack.json");
    writeFileSync(file, JSON.stringify(stack));
    const out = join(set.folder, "p1.img");
    const copied = await run(["copy", file, "--device", "table/p1", "--to", out]);
    expect(copied).toMatchObject({ status: 0, stderr: "" });
    expect(hashFiles([out])).toBe(layerHash(set, "p1"));
  });

  test("over TLS with a key, and not without", async () => {
    const set = golden("gpt");
    const psk = join(set.folder, "keys.psk");
    writeFileSync(psk, `alice:${"5a".repeat(32)}\n`, { mode: 0o600 });
    const pskKeys = await readPskFile(psk);
    const { socket, uri } = await serveImages(set.images, { tls: { mode: "required", pskKeys } });
    const secure = `nbds+unix://alice@/disk0.img?socket=${socket}&tls-psk-file=${psk}`;
    const out = join(set.folder, "p1.img");
    const copied = await run(["copy", secure, "--device", "disk0.img/p1", "--to", out]);
    expect(copied).toMatchObject({ status: 0, stderr: "" });
    expect(hashFiles([out])).toBe(layerHash(set, "p1"));
    const refused = await run(["inspect", uri("disk0.img")]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/TLS/);
  });

  test.each([
    { uri: "nbd://localhost:10809/a#b", says: /this is no NBD URI/ },
    { uri: "nbd+ssh://host/a", says: /nbd\+ssh/ },
    { uri: "nbd+unix:///a", says: /socket/ },
    { uri: "http://example.com/disk.img", says: /no driver opens URIs that begin with http:/ },
    { uri: "nbd+unix:///?socket=/nonexistent/s", says: /nonexistent/ },
  ])("one that cannot be opened is told of in a line: $uri", async ({ uri, says }) => {
    const { status, stderr } = await run(["inspect", uri]);
    expect(status).toBe(1);
    expect(stderr).toMatch(says);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  test("the same URI twice is refused, and an export that is not there is named", async () => {
    const { uri } = await serveImages(golden("gpt").images);
    const source = uri("disk0.img");
    expect((await run(["inspect", source, source])).stderr).toMatch(/given twice/);
    const missing = await run(["inspect", uri("disk9.img")]);
    expect(missing.status).toBe(1);
    expect(missing.stderr).toMatch(/disk9\.img/);
  });
});

describe("cev copy to and from a URI", () => {
  test("gives all bytes, and takes them back", async () => {
    const set = golden("gpt");
    const target = join(set.folder, "target.img");
    writeFileSync(target, Buffer.alloc(4 << 20, 0xff));
    const { uri, close } = await serveImages([target]);
    const there = await run(["copy", ...set.images, "--device", "disk0.img/p1", "--to", uri("target.img")]);
    expect(there).toMatchObject({ status: 0, stderr: "" });
    const back = await run(["copy", ...set.images, "--device", "disk0.img/p2", "--from", uri("target.img")]);
    // The export is longer than the partition.
    expect(back.status).toBe(1);
    await close();
    const written = readFileSync(target);
    expect(sha256(written.subarray(0, 3 << 20))).toBe(layerHash(set, "p1"));
    expect(written.subarray(3 << 20).every((byte) => byte === 0xff)).toBe(true);
    truncateSync(target, 3 << 20);
    const again = await serveImages([target]);
    const fitting = ["--device", "disk0.img/p2", "--from", again.uri("target.img")];
    expect(await run(["copy", ...set.images, ...fitting])).toMatchObject({ status: 0, stderr: "" });
    expect(readFileSync(set.images[0]!).includes(written.subarray(0, 3 << 20), 4 << 20)).toBe(true);
  });

  test("one that is too small is refused, and nothing is written to it", async () => {
    const set = golden("gpt");
    const target = join(set.folder, "target.img");
    writeFileSync(target, Buffer.alloc(1 << 20, 0xff));
    const { uri, close } = await serveImages([target]);
    const args = ["--device", "disk0.img/p1", "--to", uri("target.img")];
    const { status, stderr } = await run(["copy", ...set.images, ...args]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/it has 1048576 bytes, and the copy has 3145728; nothing was written/);
    await close();
    expect(readFileSync(target).every((byte) => byte === 0xff)).toBe(true);
  });

  test("onto the export that the device lies on is refused", async () => {
    const { uri } = await serveImages(golden("gpt").images);
    const source = uri("disk0.img");
    const { status, stderr } = await run(["copy", source, "--device", "disk0.img/p1", "--to", source]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/this is the device disk0\.img itself/);
  });

  test("a read-only export is no target", async () => {
    const set = golden("gpt");
    const { uri } = await serveImages(golden("gpt").images, { isReadOnly: true });
    const args = ["--device", "disk0.img/p1", "--to", uri("disk0.img")];
    const { status, stderr } = await run(["copy", ...set.images, ...args]);
    expect(status).toBe(1);
    expect(stderr).toMatch(/read-only/);
  });
});
