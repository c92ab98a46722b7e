import { Op, request, writeBytes } from "@cev/core";
import type { Environment } from "@cev/core";
import { encodeHeader } from "./store-header.ts";
import type { StoreTarget } from "./store-target.ts";

/**
 * Makes a new store: a blank area of exceptions and then, once that is durable, the header. A power cut leaves it blank, or new. What
 * lies behind is left as it is.
 */
export async function initialiseStore(
  environment: Environment,
  store: StoreTarget,
  chunkSize: number,
): Promise<void> {
  const hasFlush = store.support.flush !== "none";
  const header = new Uint8Array(Math.max(512, store.limits.logicalBlockSize));
  header.set(encodeHeader({ isValid: true, chunkSize }));
  // The rest of the header's chunk means nothing; the area follows it.
  await request(store, environment, Op.writeZeroes, header.length, 2 * chunkSize - header.length);
  if (hasFlush) await request(store, environment, Op.flush, 0, 0);
  await writeBytes(store, environment, 0, header, hasFlush);
}
