import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import type { Layer, Support } from "@cev/core";
import type { ConformanceTable, LowerOptions, Manifest, Subject, TestBench } from "@cev/test-kit";
import type { NbdOptions } from "../src/client/client-options.ts";
import { NbdLayer } from "../src/client/nbd-layer.ts";
import { NbdServer } from "../src/server/server.ts";
import type { NbdServerOptions } from "../src/server/server-options.ts";

const SIZE = 262_144;
const PSK = "00112233445566778899aabbccddeeff";

interface Row {
  readonly name: string;
  /** What the server stands on. */
  readonly lower?: Partial<LowerOptions>;
  readonly server?: Partial<NbdServerOptions>;
  readonly client?: Partial<NbdOptions>;
  readonly over?: "unix" | "tcp" | "tls";
  readonly support?: Partial<Support>;
  readonly skip?: Manifest["skip"];
}

const durability =
  "the suite cuts the power of the client's disks, and the server would go on; test/client/resume.test.ts has it";
const errors = "one connection has them, and a server for each failure takes its time";

const rows: readonly Row[] = [
  { name: "an export of a server" },
  {
    name: "an export over three connections, in short requests",
    client: { connections: 3, requestsMax: 4 },
    server: { payloadLengthMax: 16_384 },
    skip: { errors },
  },
  {
    name: "an export with one request at a time",
    client: { requestsMax: 1, busyPollUs: 0 },
    skip: { errors },
  },
  {
    name: "an export that stands on what has no FUA, discards and zeroes",
    lower: { support: { fua: "none", discard: "none", writeZeroes: "none" } },
    support: { discard: "none" },
    skip: { errors },
  },
  { name: "an export in blocks of 4096", lower: { blockSize: 4096 }, skip: { errors } },
  { name: "an export over TCP", over: "tcp", skip: { errors } },
  { name: "an export over TLS", over: "tls", skip: { errors } },
  { name: "a read-only export", client: { readOnly: true }, support: READ_ONLY_SUPPORT },
  {
    name: "an export that the server does not let be written",
    lower: { support: { write: "none", discard: "none", writeZeroes: "none", flush: "none", fua: "none" } },
    support: READ_ONLY_SUPPORT,
    skip: { errors },
  },
];

/** A layer over a server of ours, which stands on a disk of the suite's. */
async function overServer(bench: TestBench, row: Row): Promise<Layer> {
  const { lower = {}, server: settings = {}, client = {}, over = "unix" } = row;
  const { environment } = bench;
  const folder = await mkdtemp(join(tmpdir(), "cev-nbd-client-"));
  bench.onEnd(() => rm(folder, { recursive: true }));
  const disk = bench.lower({ size: SIZE, ...lower });
  const isReadOnly = client.readOnly === true || disk.support.write === "none";
  const device = await Device.open(disk, environment, { isReadOnly });
  const server = new NbdServer({
    environment,
    exports: [{ name: "disk", device, ...(isReadOnly ? { isReadOnly: true } : {}) }],
    ...(over === "tls"
      ? { tls: { mode: "required", pskKeys: new Map([["alice", Buffer.from(PSK, "hex")]]) } }
      : {}),
    ...settings,
  });
  const path = join(folder, "sock");
  let uri = `nbd+unix:///disk?socket=${path}`;
  if (over === "unix") await server.listen({ path });
  else {
    const address = await server.listen({ host: "127.0.0.1", port: 0 });
    if (!("port" in address)) throw new Error("the server told no port");
    uri = `${over === "tls" ? "nbds" : "nbd"}://127.0.0.1:${address.port}/disk`;
  }
  const keys = join(folder, "keys.psk");
  if (over === "tls") await writeFile(keys, `alice:${PSK}\n`, { mode: 0o600 });
  const layer = await NbdLayer.at(environment, {
    reconnectTimeoutMs: 0,
    ...client,
    ...(over === "tls" ? { tlsPskFile: keys, tlsUsername: "alice" } : {}),
    uri,
  });
  const close = layer.close.bind(layer);
  // The suite looks at its disks once the layer is closed: the server has to have given them back.
  layer.close = async () => {
    await close();
    await server.close();
    await device.close();
  };
  bench.onEnd(() => void server.close({ isForced: true }));
  return layer;
}

function subjectOf(row: Row): Subject {
  return {
    name: row.name,
    manifest: { support: { ...FULL_SUPPORT, ...row.support }, skip: { durability, ...row.skip } },
    create: (bench) => overServer(bench, row),
  };
}

export const conformanceTable: ConformanceTable = {
  package: "@cev/nbd",
  groups: {
    errors: [subjectOf(rows[0]!)],
    writable: rows.slice(1, 7).map(subjectOf),
    "read-only": rows.slice(7).map(subjectOf),
  },
  drawnCount: 3,
};
