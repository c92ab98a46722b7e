import { spawn } from "node:child_process";
import { env, execArgv, execPath } from "node:process";
import { fileURLToPath } from "node:url";
import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { CevError } from "@cev/core";
import type { AbortSignalLike } from "@cev/core";
import type { Derivation } from "./native-kdf.ts";
import { wipe } from "./secret.ts";

/** The process could not be started at all: the system, or Node's permissions, do not allow it. */
export class CannotStart extends Error {}

/**
 * Derives a key in a process of its own, which is killed when `signal` fires: nothing else stops the processor. (A native call goes on
 * to its end in a thread that was terminated, and whoever terminates it waits.) It ends by itself when this process dies.
 */
export async function deriveInProcess(
  derivation: Derivation,
  passphrase: Uint8Array,
  signal: AbortSignalLike,
): Promise<Uint8Array> {
  const child = start();
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
    const key = Uint8Array.from(Buffer.concat(received));
    if (status === 0 && key.length === derivation.length) return key;
    wipe(key);
    throw new Error(`the process that derives the key ended with ${String(status)}`);
  } finally {
    signal.removeEventListener("abort", kill);
    wipe(message, ...received);
    child.stdin.destroy();
  }
}

function start(): ChildProcessWithoutNullStreams {
  const { url } = import.meta;
  // It lies beside this file: as TypeScript in the sources, compiled in the published package.
  const program = new URL(`./derive-child.${url.endsWith(".ts") ? "ts" : "js"}`, url);
  const options = execArgv.filter((option) => /^--(openssl|enable-fips|force-fips)/.test(option));
  // NODE_OPTIONS are meant for the program itself; Electron's executable is a Node.js only when told so.
  const childEnv = { ...env, NODE_OPTIONS: "", NODE_NO_WARNINGS: "1", ELECTRON_RUN_AS_NODE: "1" };
  try {
    return spawn(execPath, [...options, fileURLToPath(program)], {
      env: childEnv,
      stdio: ["pipe", "pipe", "inherit"],
      windowsHide: true,
    }) as unknown as ChildProcessWithoutNullStreams;
  } catch (error) {
    throw new CannotStart("a process cannot be started", { cause: error });
  }
}

/** The status it ended with, or the signal; after all that it wrote has arrived. */
function ended(child: ChildProcessWithoutNullStreams): Promise<number | string | null> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new CannotStart("a process cannot be started", { cause: error })));
    child.once("close", (status, signal) => resolve(status ?? signal));
  });
}

/** The length of a JSON text in four bytes, the text, the passphrase. */
function encodeRequest(derivation: Derivation, passphrase: Uint8Array): Uint8Array {
  const salt = Buffer.from(derivation.salt).toString("base64");
  const text = Buffer.from(JSON.stringify({ ...derivation, salt, passphraseLength: passphrase.length }));
  const message = Buffer.alloc(4 + text.length + passphrase.length);
  message.writeUInt32LE(text.length);
  message.set(text, 4);
  message.set(passphrase, 4 + text.length);
  return message;
}
