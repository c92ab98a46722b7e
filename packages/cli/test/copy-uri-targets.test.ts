import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { Device, environmentFrom, Op } from "@cev/core";
import type { Io } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { NbdServer } from "@cev/nbd";
import { expect, onTestFinished, test, vi } from "vitest";
import { golden, temporaryFolder } from "./helpers.ts";
import { run } from "./in-process.ts";

const SIZE = 1 << 20;
const environment = environmentFrom(globalThis);

/** Takes note of what it is asked to do; nothing that is written ever ends where it hangs. */
class Watched extends RamdiskLayer {
  readonly asked: { readonly op: number; readonly offset: number; readonly length: number }[] = [];
  /** Resolves with the first of them. */
  readonly firstAsked: Promise<void>;
  #onFirst: () => void = () => undefined;
  readonly #hangs: boolean;

  constructor(hangs: boolean) {
    super(environment, { size: SIZE });
    this.#hangs = hangs;
    this.firstAsked = new Promise((resolve) => (this.#onFirst = resolve));
  }

  override submit(io: Io): void {
    const isWrite = io.op === Op.write || io.op === Op.writeZeroes;
    if (isWrite) this.asked.push({ op: io.op, offset: io.offset, length: io.length });
    if (isWrite) this.#onFirst();
    if (!isWrite || !this.#hangs) super.submit(io);
  }
}

async function serve(
  layer: Watched,
  isReadOnly = false,
): Promise<{ readonly uri: string; readonly device: Device }> {
  const device = await Device.open(layer, environment, { name: "there" });
  const server = new NbdServer({ environment, exports: [{ name: "there", device, isReadOnly }] });
  const path = join(temporaryFolder(), "s");
  await server.listen({ path });
  onTestFinished(async () => {
    await server.close({ isForced: true });
  });
  return { uri: `nbd+unix:///there?socket=${path}`, device };
}

test("a copy to an export that is read-only is refused before anything is read, with what to do", async () => {
  const { images } = golden("gpt");
  const { uri } = await serve(new Watched(false), true);
  const { status, stderr } = await run(["copy", ...images, "--device", "vg2/data", "--to", uri]);
  expect(status).toBe(1);
  expect(stderr).toContain("it cannot be written");
  expect(stderr).toContain("serve it without --read-only");
});

test("zeroes that were read are written as zeroes to a URI, too", async () => {
  const { images } = golden("gpt");
  const layer = new Watched(false);
  const { uri, device } = await serve(layer);
  const input = join(temporaryFolder(), "input");
  const bytes = Buffer.alloc(SIZE);
  bytes.fill("data", 300_000, 400_000);
  writeFileSync(input, bytes);
  await run(["copy", ...images, "--device", "vg2/data", "--from", input]);
  expect(await run(["copy", ...images, "--device", "vg2/data", "--to", uri])).toMatchObject({
    status: 0,
    stderr: "",
  });
  expect(bytes.equals(await device.read(0, SIZE))).toBe(true);
  const written = layer.asked.filter(({ op }) => op === Op.write);
  expect(written.reduce((sum, { length }) => sum + length, 0)).toBeLessThan(120_000);
});

test("the first signal ends a copy to a server that hangs, and the process", async () => {
  const { images } = golden("gpt");
  const layer = new Watched(true);
  const { uri } = await serve(layer);
  const exit = vi.spyOn(process, "exit").mockImplementation(() => undefined as never);
  onTestFinished(() => {
    vi.useRealTimers();
    exit.mockRestore();
  });
  let hasEnded = false;
  const ended = run(["copy", ...images, "--device", "vg2/data", "--to", uri]).finally(
    () => (hasEnded = true),
  );
  await layer.firstAsked;
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  process.emit("SIGINT", "SIGINT");
  while (!hasEnded) {
    // In small steps: some turns pass from where the process is given a second until the copy has ended.
    await vi.advanceTimersByTimeAsync(5);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { status, stderr } = await ended;
  expect(stderr).toContain("ended by SIGINT");
  expect(status).toBe(1);
  // What was sent cannot be called back: its connection would keep the process alive.
  expect(exit).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1000);
  expect(exit).toHaveBeenCalledWith(1);
});
