const MIB = 1 << 20;
const GIB = 1 << 30;
const TIB = 2 ** 40;
const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** A size in both kinds of units, as mdadm puts it behind a number: " (19.00 MiB 19.92 MB)"; "" for small ones. */
export function bothUnits(bytes: number): string {
  if (bytes < 5000 * 1024) return "";
  if (bytes < 2 * GIB) return unitPair(bytes, MIB, "MiB", 1e6, "MB");
  return bytes < 2 * TIB ? unitPair(bytes, GIB, "GiB", 1e9, "GB") : unitPair(bytes, TIB, "TiB", 1e12, "TB");
}

function unitPair(bytes: number, binary: number, binaryName: string, decimal: number, name: string): string {
  return ` (${(bytes / binary).toFixed(2)} ${binaryName} ${(bytes / decimal).toFixed(2)} ${name})`;
}

/** Seconds since 1970 in the local time, as C's `ctime` writes them: "Mon Nov 23 03:16:38 2026". */
export function clockText(seconds: number): string {
  const time = new Date(seconds * 1000);
  if (Number.isNaN(time.getTime())) return `${seconds} seconds after 1970`;
  const two = (value: number): string => String(value).padStart(2, "0");
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  const day = String(time.getDate()).padStart(2);
  return `${DAYS[time.getDay()]!} ${MONTHS[time.getMonth()]!} ${day} ${clock} ${time.getFullYear()}`;
}

/** The same for programs; null where no calendar reaches. */
export function isoTime(seconds: number): string | null {
  const time = new Date(seconds * 1000);
  return Number.isNaN(time.getTime()) ? null : time.toISOString();
}

/** A line "NAME : VALUE", the name as far to the right as mdadm has it. */
export function fieldLine(name: string, value: string | number | bigint, width = 15): string {
  return `${name.padStart(width)} : ${value}`.trimEnd();
}
