import { readBytes } from "@cev/core";
import type { Environment, RequestTarget } from "@cev/core";
import { HEADER_LENGTH, decodeHeader } from "./header.ts";
import type { Header } from "./header.ts";

/** So much of a device has to be zero for one to be made there. */
export const BLANK_LENGTH = 4096;

/** What a device carries: sums, nothing, or something else. Throws a `MetadataError` for sums that cannot be accepted. */
export async function findHeader(
  device: RequestTarget,
  environment: Environment,
): Promise<Header | "blank" | "other"> {
  const { size } = device.limits;
  if (size < BLANK_LENGTH) return "other";
  const bytes = await readBytes(device, environment, 0, BLANK_LENGTH);
  if (bytes.every((byte) => byte === 0)) return "blank";
  return decodeHeader(bytes.subarray(0, HEADER_LENGTH), size) ?? "other";
}
