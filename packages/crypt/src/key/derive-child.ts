import { exit, kill, pid, stdin, stdout } from "node:process";
import { deriveNatively } from "./native-kdf.ts";
import type { Derivation } from "./native-kdf.ts";

// A process that derives one key: the request on its standard input (see `deriveInProcess`), the key on its standard output.
type Request = Derivation & { readonly salt: string; readonly passphraseLength: number };

// The first byte says that this program runs, and not another one.
stdout.write(Uint8Array.of(0x06));
receive();
// Whoever asked is gone. An ordinary exit would wait for the derivation.
stdin.on("close", () => kill(pid, "SIGKILL"));

function receive(): void {
  let received = Buffer.alloc(0);
  stdin.on("data", (chunk: Buffer) => {
    const all = Buffer.concat([received, chunk]);
    received.fill(0);
    chunk.fill(0);
    received = all;
    if (received.length < 4) return;
    const end = 4 + received.readUInt32LE();
    if (received.length < end) return;
    const request = JSON.parse(received.toString("utf8", 4, end)) as Request;
    if (received.length === end + request.passphraseLength) derive(request, received.subarray(end));
  });
}

function derive(request: Request, passphrase: Uint8Array): void {
  const salt = Buffer.from(request.salt, "base64");
  deriveNatively({ ...request, salt }, passphrase).then(
    (key) => {
      passphrase.fill(0);
      stdout.write(key, () => {
        key.fill(0);
        exit(0);
      });
    },
    () => exit(1),
  );
}
