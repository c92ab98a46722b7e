// Answers like `qemu-nbd` for raw images, so that QEMU's own tests can be run against cev. What is not an NBD server of a raw
// image (other formats, bitmaps, snapshots, devices, lists of another server) is handed to the real one, REAL_QEMU_NBD.
import { appendFileSync, closeSync, statSync, writeFileSync } from "node:fs";
import { spawn } from "node:child_process";
import { parseArgs } from "node:util";
import { Device, environmentFrom } from "@cev/core";
import { FileLayer } from "@cev/hw-file";
import { NbdServer } from "@cev/nbd";
import { OddFileLayer } from "./odd-file.ts";

/** Set for the process that serves after `--fork`: its third descriptor tells the one before it how it went. */
const FORKED = "CEV_QEMU_NBD_FORKED";
const READY_FD = 3;

const args = process.argv.slice(2);
const options = understood();
note(options === null ? "real" : "cev");
if (options === null) await handOver();
else if (options.fork === true && process.env[FORKED] === undefined) await startForked();
else await serve(options).catch(fail);

interface Options {
  readonly "pid-file"?: string;
  readonly persistent?: boolean;
  readonly fork?: boolean;
  readonly socket?: string;
  readonly port?: string;
  readonly bind?: string;
  readonly shared?: string;
  readonly "export-name"?: string;
  readonly description?: string;
  readonly "read-only"?: boolean;
  readonly file: string;
}

/** Null: something in it is not for this program. */
function understood(): Options | null {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        "pid-file": { type: "string" },
        verbose: { type: "boolean", short: "v" },
        persistent: { type: "boolean", short: "t" },
        fork: { type: "boolean" },
        socket: { type: "string", short: "k" },
        port: { type: "string", short: "p" },
        bind: { type: "string", short: "b" },
        format: { type: "string", short: "f" },
        shared: { type: "string", short: "e" },
        "export-name": { type: "string", short: "x" },
        description: { type: "string", short: "D" },
        "read-only": { type: "boolean", short: "r" },
      },
    });
    const [file] = positionals;
    if (file === undefined || positionals.length > 1 || values.format !== "raw") return null;
    // QEMU's own names for what is no file.
    if (/^[a-z][a-z0-9+-]*:/.test(file)) return null;
    return { ...values, file };
  } catch {
    return null;
  }
}

async function serve(options: Options): Promise<void> {
  const environment = environmentFrom(globalThis);
  const isReadOnly = options["read-only"] === true;
  const { size } = statSync(options.file);
  const layer =
    size % 512 === 0
      ? await FileLayer.at(environment, { path: options.file, readOnly: isReadOnly })
      : new OddFileLayer(options.file, size, isReadOnly);
  const device = await Device.open(layer, environment, { name: "image" });
  const name = options["export-name"] ?? "";
  let openCount = 0;
  const server = new NbdServer({
    environment,
    exports: [
      {
        name,
        device,
        isReadOnly,
        ...(options.description === undefined ? {} : { description: options.description }),
      },
    ],
    defaultExport: name,
    connectionsMax: Math.max(1, Number(options.shared ?? 1)),
    onEvent: (event) => {
      if (event.kind === "opened") openCount++;
      if (event.kind === "closed" && --openCount === 0 && options.persistent !== true) void end();
    },
  });
  const end = async (): Promise<void> => {
    await server.close();
    await device.close();
  };
  await server.listen(
    options.socket === undefined
      ? { host: options.bind ?? "0.0.0.0", port: Number(options.port ?? 10_809) }
      : { path: options.socket },
  );
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.once(signal, () => void end());
  if (options["pid-file"] !== undefined) writeFileSync(options["pid-file"], `${process.pid}\n`);
  if (process.env[FORKED] !== undefined) {
    writeFileSync(READY_FD, "ready");
    closeSync(READY_FD);
  }
}

/** Ends when the other one listens, as a daemon's parent does. */
async function startForked(): Promise<void> {
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1]!, ...args], {
    detached: true,
    // Whoever started this one waits until nobody holds its output any more.
    stdio: ["ignore", "ignore", "ignore", "pipe"],
    env: { ...process.env, [FORKED]: "1" },
  });
  const isReady = await new Promise<boolean>((resolve) => {
    child.stdio[READY_FD]!.once("data", () => resolve(true));
    child.once("exit", () => resolve(false));
  });
  process.exit(isReady ? 0 : 1);
}

async function handOver(): Promise<void> {
  const child = spawn(process.env["REAL_QEMU_NBD"] ?? "qemu-nbd", args, { stdio: "inherit" });
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => child.kill(signal));
  process.exitCode = await new Promise<number>((resolve) => {
    child.on("error", () => resolve(127));
    child.on("exit", (code) => resolve(code ?? 1));
  });
}

/** Who answered, for the table of results. */
function note(who: string): void {
  const log = process.env["CEV_QEMU_NBD_LOG"];
  if (log !== undefined) appendFileSync(log, `${who} ${args.join(" ")}\n`);
}

function fail(error: unknown): void {
  console.error(`qemu-nbd: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}
