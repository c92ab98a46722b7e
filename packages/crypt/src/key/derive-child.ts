import { deriveNatively } from "./native-kdf.ts";
import type { Derivation } from "./native-kdf.ts";

// A process that derives one key: the request on its standard input (see `deriveInProcess`), the key on its standard output.
type Request = Derivation & { readonly salt: string; readonly passphraseLength: number };

let received = Buffer.alloc(0);
process.stdin.on("data", (chunk: Buffer) => {
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
// Whoever asked is gone. An ordinary exit would wait for the derivation.
process.stdin.on("close", () => process.kill(process.pid, "SIGKILL"));

function derive(request: Request, passphrase: Uint8Array): void {
  const salt = Buffer.from(request.salt, "base64");
  deriveNatively({ ...request, salt }, passphrase).then(
    (key) => {
      passphrase.fill(0);
      process.stdout.write(key, () => {
        key.fill(0);
        process.exit(0);
      });
    },
    () => process.exit(1),
  );
}
