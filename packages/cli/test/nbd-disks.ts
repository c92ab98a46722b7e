import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
import type { Io } from "@cev/core";
import { RamdiskLayer } from "@cev/hw-ramdisk";
import { NbdServer } from "@cev/nbd";
import { onTestFinished } from "vitest";
import { temporaryFolder } from "./helpers.ts";

const environment = environmentFrom(globalThis);

/** An empty disk behind a server of its own, at the socket s0, s1… of a folder. */
export async function serveDisk(cwd: string, socket: string, size: number = 6 << 20): Promise<NbdServer> {
  const device = await Device.open(new RamdiskLayer(environment, { size }), environment, { name: socket });
  const server = new NbdServer({ environment, exports: [{ name: "", device }] });
  await server.listen({ path: join(cwd, socket) });
  onTestFinished(async () => {
    await server.close({ isForced: true });
    await device.close();
  });
  return server;
}

export const uriOf = (socket: string): string => `nbd+unix:///?socket=${socket}`;

/** A disk whose server goes away at the first request of a kind, and is back at once at the same socket; its URI. */
export async function serveUnsteady(cwd: string, socket: string, op: number): Promise<string> {
  const layer = new UnsteadyLayer(op);
  const device = await Device.open(layer, environment, { name: socket });
  const listen = async (): Promise<NbdServer> => {
    const server = new NbdServer({ environment, exports: [{ name: "", device }] });
    await server.listen({ path: join(cwd, socket) });
    return server;
  };
  // Holes are not asked for.
  await device.write(2 << 20, new Uint8Array(2 << 20).fill(0x5a));
  let server = await listen();
  layer.onFirst = () => {
    void server.close({ isForced: true }).then(async () => (server = await listen()));
  };
  onTestFinished(async () => {
    await server.close({ isForced: true });
    await device.close();
  });
  return uriOf(socket);
}

class UnsteadyLayer extends RamdiskLayer {
  readonly #op: number;
  onFirst: (() => void) | null = null;

  constructor(op: number) {
    super(environment, { size: 6 << 20 });
    this.#op = op;
  }

  override submit(io: Io): void {
    // What is only looked at lies at the beginning and at the end.
    const isFirst = io.op === this.#op && io.offset > 0x21_0000 && io.offset < 4 << 20;
    const { onFirst } = this;
    if (isFirst && onFirst !== null) {
      this.onFirst = null;
      environment.later(onFirst);
    }
    super.submit(io);
  }
}

/** Empty disks, each behind a server of its own, and their URIs in that folder. */
export async function serveDisks(count: number): Promise<{
  readonly cwd: string;
  readonly uris: readonly string[];
  readonly servers: readonly NbdServer[];
}> {
  const cwd = temporaryFolder();
  const sockets = Array.from({ length: count }, (_, index) => `s${index}`);
  const servers: NbdServer[] = [];
  for (const socket of sockets) servers.push(await serveDisk(cwd, socket));
  return { cwd, uris: sockets.map(uriOf), servers };
}
