import { createCipheriv, createDecipheriv, createSecretKey } from "node:crypto";

/** Whole blocks of 16 bytes through AES, each by itself. The result is the callee's own memory: copy it out, then `discardResult`. */
export interface EcbTransform {
  update(data: Uint8Array): Buffer;
}

/** A persistent AES-ECB encryption or decryption under a key of 16 or 32 bytes; ECB keeps no state between calls. */
export function createEcb(key: Uint8Array, direction: "encrypt" | "decrypt"): EcbTransform {
  const algorithm = key.length === 16 ? "aes-128-ecb" : "aes-256-ecb";
  const secret = createSecretKey(key);
  const transform =
    direction === "encrypt"
      ? createCipheriv(algorithm, secret, null)
      : createDecipheriv(algorithm, secret, null);
  // Without padding every block comes out at once.
  transform.setAutoPadding(false);
  return transform;
}

/** Frees a result at once instead of leaving it to the garbage collector, which large results overwhelm. */
export function discardResult(result: Buffer): void {
  const { buffer } = result;
  // A small result may share its memory with others; and Node before 21 leaves even a large one to the collector.
  if (!(buffer instanceof ArrayBuffer) || result.byteLength !== buffer.byteLength) return;
  if ("transfer" in buffer) buffer.transfer(0);
}
