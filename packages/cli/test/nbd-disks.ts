import { join } from "node:path";
import { Device, environmentFrom } from "@cev/core";
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
