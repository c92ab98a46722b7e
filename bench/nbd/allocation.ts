import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { NbdServer } from "@cev/nbd";
import { bytesPerRequest } from "../allocated.ts";
import type { Report } from "../report.ts";

const SIZE = 64 * 1024 * 1024;
const COUNT = 50_000;

/** Bytes of the JavaScript heap that the server takes per request, with all that Node's sockets take. */
export async function benchAllocation(report: Report): Promise<void> {
  report.title("NBD: bytes of the JavaScript heap per random request of 4 KiB, by depth");
  const directory = mkdtempSync(join(tmpdir(), "cev-bench-"));
  const path = join(directory, "socket");
  const environment = environmentFrom(globalThis);
  const layer = new RamdiskLayer(environment, { size: SIZE, blockSize: 1 });
  const device = await Device.open(layer, environment, { name: "ram" });
  const server = new NbdServer({ environment, exports: [{ name: "ram", device }] });
  try {
    await server.listen({ path });
    const depths = [1, 16, 64];
    report.row("", ...depths.map((depth) => `depth ${depth}`));
    for (const direction of ["read", "write"] as const) {
      const figures: number[] = [];
      for (const depth of depths)
        figures.push(await bytesPerRequest(() => runFio(path, { direction, depth })));
      report.row(direction, ...figures.map(String));
    }
  } finally {
    await server.close({ isForced: true });
    await device.close();
    rmSync(directory, { recursive: true });
  }
}

/** As another process, while this one serves. Returns how many requests there were. */
async function runFio(
  path: string,
  { direction, depth }: { readonly direction: "read" | "write"; readonly depth: number },
): Promise<number> {
  const child = spawn(
    "fio",
    [
      ...["--name=bench", "--ioengine=nbd", `--uri=nbd+unix:///?socket=${path}`, `--rw=rand${direction}`],
      ...["--bs=4k", `--iodepth=${depth}`, `--number_ios=${COUNT}`, `--io_size=${COUNT * 4096}`],
      ...["--thread", "--norandommap", "--output-format=terse"],
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const status = await new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  if (status !== 0) throw new Error(`fio ended with status ${String(status)}`);
  return COUNT;
}
