import { spawn } from "node:child_process";
import type { ChildProcess, ChildProcessWithoutNullStreams } from "node:child_process";
import { env, execArgv, execPath, versions } from "node:process";
import { isSea } from "node:sea";
import { fileURLToPath } from "node:url";
import { CevError } from "@cev/core";
import type { AbortSignalLike } from "@cev/core";
import type { Derivation } from "./native-kdf.ts";
import { wipe } from "./secret.ts";

/** What is started: an executable of Node, and the program that derives. */
export interface DerivingProgram {
  /** Null: there is no executable that would run another program. */
  readonly executable: string | null;
  readonly program: string;
}

/** The process could not be started, or was not what it should be: the system, Node's permissions or a bundler are in the way. */
export class CannotStart extends Error {}

// The first byte of the answer: the program runs.
const READY = 0x06;

/**
 * The executable that runs this, and the program beside this file: as TypeScript in the sources, compiled in the published
 * package.
 */
export function derivingProgram(): DerivingProgram {
  const { url } = import.meta;
  const program = fileURLToPath(new URL(`./derive-child.${url.endsWith(".ts") ? "ts" : "js"}`, url));
  // An application that is one executable, or Electron's, would start itself once more.
  const isApplication = isSea() || versions["electron"] !== undefined || versions["pkg"] !== undefined;
  return { executable: isApplication ? null : execPath, program };
}

/**
 * Derives a key in a process of its own, which is killed when `signal` fires: nothing else stops the processor. (A native call
 * goes on to its end in a thread that was terminated, and whoever terminates it waits.) The passphrase goes through a pipe. The
 * process ends by itself when this one dies. Throws `CannotStart` when it does not come to deriving.
 */
export async function deriveInProcess(
  derivation: Derivation,
  passphrase: Uint8Array,
  signal: AbortSignalLike,
  host: DerivingProgram = derivingProgram(),
): Promise<Uint8Array> {
  const child = start(host);
  const kill = (): void => void child.kill("SIGKILL");
  signal.addEventListener("abort", kill);
  const received: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => received.push(chunk));
  const message = encodeRequest(derivation, passphrase);
  try {
    // Its input stays open: that it closes tells the child that nobody waits any more. A child that died before it read all is
    // reported by its status.
    child.stdin.on("error", () => undefined);
    child.stdin.write(message);
    const status = await ended(child);
    if (signal.aborted) throw new CevError("CEV_CANCELLED", "deriving the key was cancelled");
    const answer = Buffer.concat(received);
    received.push(answer);
    if (answer[0] !== READY) throw new CannotStart(`the process ended with ${String(status)}`);
    if (status === 0 && answer.length === 1 + derivation.length) return Uint8Array.from(answer.subarray(1));
    throw new Error(`the process that derives the key ended with ${String(status)}`);
  } finally {
    signal.removeEventListener("abort", kill);
    wipe(message, ...received);
    child.stdin.destroy();
  }
}

function start({ executable, program }: DerivingProgram): ChildProcessWithoutNullStreams {
  if (executable === null) throw new CannotStart("this executable runs no other program");
  const options = execArgv.filter((option) => /^--(openssl|enable-fips|force-fips)/.test(option));
  // NODE_OPTIONS are meant for the program itself.
  const childEnv = { ...env, NODE_OPTIONS: "", NODE_NO_WARNINGS: "1" };
  let child: ChildProcess;
  try {
    child = spawn(executable, [...options, program], {
      env: childEnv,
      stdio: ["pipe", "pipe", "ignore"],
      windowsHide: true,
    });
  } catch (error) {
    throw new CannotStart("a process cannot be started", { cause: error });
  }
  // Where no descriptors are left there are no pipes, whatever the types say; the error comes later, and would end the program.
  if ((child as Partial<ChildProcess>).stdin === undefined) {
    child.on("error", () => undefined);
    throw new CannotStart("a process cannot be started: no descriptors are left");
  }
  return child as unknown as ChildProcessWithoutNullStreams;
}

/** The status it ended with, or the signal; after all that it wrote has arrived. */
function ended(child: ChildProcessWithoutNullStreams): Promise<number | string | null> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new CannotStart("a process cannot be started", { cause: error })));
    child.once("close", (status, signal) => resolve(status ?? signal));
  });
}

/** What the program reads: the length of a JSON text in four bytes, the text, the passphrase. */
export function encodeRequest(derivation: Derivation, passphrase: Uint8Array): Uint8Array {
  const salt = Buffer.from(derivation.salt).toString("base64");
  const text = Buffer.from(JSON.stringify({ ...derivation, salt, passphraseLength: passphrase.length }));
  const message = Buffer.alloc(4 + text.length + passphrase.length);
  message.writeUInt32LE(text.length);
  message.set(text, 4);
  message.set(passphrase, 4 + text.length);
  return message;
}
