import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Device, FULL_SUPPORT, READ_ONLY_SUPPORT } from "@cev/core";
import type { Layer, Support } from "@cev/core";
import type { ConformanceTable, LowerOptions, Manifest, Subject, TestBench } from "@cev/test-kit";
import type { NbdOptions } from "../src/client/client-options.ts";
import { nbdDriver } from "../src/client/driver.ts";
import { NbdServer } from "../src/server/server.ts";
import type { NbdServerOptions } from "../src/server/server-options.ts";

const SIZE = 262_144;
const SOCKET = "sock";
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

/** A server of ours on a disk of the suite's, until the layer over it is closed. */
class ServerBelow {
  readonly uri: string;
  readonly #server: NbdServer;
  readonly #device: Device;

  private constructor(uri: string, server: NbdServer, device: Device) {
    this.uri = uri;
    this.#server = server;
    this.#device = device;
  }

  static async start(bench: TestBench, row: Row, disk: Layer, path: string): Promise<ServerBelow> {
    const { server: settings = {}, over = "unix" } = row;
    const { environment } = bench;
    const isReadOnly = isReadOnlyRow(row);
    const device = await Device.open(disk, environment, { isReadOnly });
    const server = new NbdServer({
      environment,
      exports: [{ name: "disk", device, ...(isReadOnly ? { isReadOnly: true } : {}) }],
      ...(over === "tls"
        ? { tls: { mode: "required", pskKeys: new Map([["alice", Buffer.from(PSK, "hex")]]) } }
        : {}),
      ...settings,
    });
    bench.onEnd(() => void server.close({ isForced: true }));
    if (over === "unix") {
      await server.listen({ path });
      return new ServerBelow(`nbd+unix:///disk?socket=${path}`, server, device);
    }
    const address = await server.listen({ host: "127.0.0.1", port: 0 });
    if (!("port" in address)) throw new Error("the server told no port");
    const scheme = over === "tls" ? "nbds" : "nbd";
    return new ServerBelow(`${scheme}://127.0.0.1:${address.port}/disk`, server, device);
  }

  /** The layer over it, made by the driver from options of a stack file. */
  async layer({ environment }: TestBench, options: unknown): Promise<Layer> {
    const checked = await nbdDriver.options["~standard"].validate(options);
    if (checked.issues !== undefined) throw new Error(checked.issues[0]!.message);
    const [opened] = await nbdDriver.open({
      environment,
      options: checked.value,
      lowers: [],
      keySource: { keys: [] },
      isReadOnly: false,
      canWriteDegraded: false,
      directory: ".",
      report: () => undefined,
    });
    const { layer } = opened!;
    const close = layer.close.bind(layer);
    // The suite looks at its disks once the layer is closed: the server has to have given them back.
    layer.close = async () => {
      await close();
      await this.#server.close();
      await this.#device.close();
    };
    return layer;
  }
}

const isReadOnlyRow = ({ client, lower }: Row): boolean =>
  client?.readOnly === true || lower?.support?.write === "none";

/** A layer over a server of ours, which stands on a disk of the suite's. */
async function overServer(bench: TestBench, row: Row): Promise<Layer> {
  const { lower = {}, client = {}, over } = row;
  const folder = await mkdtemp(join(tmpdir(), "cev-nbd-client-"));
  bench.onEnd(() => rm(folder, { recursive: true }));
  const server = await ServerBelow.start(
    bench,
    row,
    bench.lower({ size: SIZE, ...lower }),
    join(folder, SOCKET),
  );
  const keys = join(folder, "keys.psk");
  if (over === "tls") await writeFile(keys, `alice:${PSK}\n`, { mode: 0o600 });
  return server.layer(bench, {
    reconnectTimeoutMs: 0,
    ...client,
    ...(over === "tls" ? { tlsPskFile: keys, tlsUsername: "alice" } : {}),
    uri: server.uri,
  });
}

/** A layer from its description, over a server that is there again in the same place. */
function reopen(row: Row): NonNullable<Manifest["reopen"]> {
  return async ({ options }, bench) => {
    const path = (options as { uri: string }).uri.split("socket=")[1]!;
    const [disk] = bench.lowersAgain();
    const server = await ServerBelow.start(bench, row, disk!, path);
    return server.layer(bench, options);
  };
}

function subjectOf(row: Row): Subject {
  return {
    name: row.name,
    manifest: {
      support: { ...FULL_SUPPORT, ...row.support },
      // A port that was free once may be somebody else's by then.
      ...(row.over === undefined ? { reopen: reopen(row) } : {}),
      skip: { durability, ...row.skip },
    },
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
