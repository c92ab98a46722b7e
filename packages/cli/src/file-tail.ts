import { open } from "node:fs/promises";
import type { Problem } from "@cev/core";
import type { StackDevice } from "@cev/stack";
import { hostError } from "./host-error.ts";

/**
 * The last bytes of an image file that are no whole block: devices have none such, and a copy of the file has them all the same.
 * Empty where there are none.
 */
export async function tailOf({ name, details }: StackDevice): Promise<Uint8Array> {
  const { path, size, bytesIgnored } = details;
  if (typeof path !== "string" || typeof size !== "number" || typeof bytesIgnored !== "number")
    return new Uint8Array(0);
  const fail = (error: unknown): never => {
    throw hostError(path, error);
  };
  const file = await open(path).catch(fail);
  try {
    const tail = new Uint8Array(bytesIgnored);
    const { bytesRead } = await file.read(tail, 0, bytesIgnored, size).catch(fail);
    if (bytesRead === bytesIgnored) return tail;
    throw hostError(name, new Error("it was cut short while it was copied"));
  } finally {
    await file.close();
  }
}

/** True for the warning that a copy makes idle. */
export const isAboutTail = ({ code }: Problem): boolean => code === "CEV_OUT_OF_RANGE";
