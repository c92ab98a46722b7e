import { UsageError } from "../usage-error.ts";

const UNITS: Readonly<Record<string, number>> = {
  "": 1 << 10,
  K: 1 << 10,
  M: 1 << 20,
  G: 1 << 30,
  T: 2 ** 40,
};

/** Bytes of a size as mdadm takes it: a number of KiB, or with one of the units K, M, G, T. */
export function parseSize(text: string, option: string): number {
  const match = /^(?<count>\d+(?:\.\d+)?)(?<unit>[KMGT]?)(?:i?B)?$/i.exec(text);
  const { count, unit } = match?.groups ?? {};
  const bytes = Number(count) * (UNITS[(unit ?? "").toUpperCase()] ?? Number.NaN);
  if (Number.isSafeInteger(bytes) && bytes > 0) return bytes;
  throw new UsageError(
    `${option} takes a size such as 512K, 64M or 1.5G (a number alone counts KiB), not ${text}`,
  );
}

/** A whole number from 1 on. */
export function parseCount(text: string, option: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(count) && count > 0) return count;
  throw new UsageError(`${option} takes a whole number from 1 on, not ${text}`);
}
