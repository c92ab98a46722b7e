import { UsageError } from "../../usage-error.ts";

const SECTOR = 512;
const PREFIXES = "kmgtpe";

/** How sizes are shown: as LVM's `--units` has it. */
export interface SizeUnits {
  /**
   * "r": the largest unit that fits, with "<" where it was rounded up; "h": without; "k", "m", "g", "t", "p", "e", "b", "s" and
   * their capitals (powers of 1000); "u": `factor` bytes.
   */
  readonly letter: string;
  /** Bytes, for "u". */
  readonly factor: number;
  readonly hasSuffix: boolean;
}

/** What LVM2 shows by default. */
export const DEFAULT_UNITS: SizeUnits = { letter: "r", factor: 0, hasSuffix: true };

/** The units of `--units` and `--nosuffix`. */
export function parseUnits(text: string, hasSuffix: boolean): SizeUnits {
  const match = /^(?<count>\d+(?:\.\d+)?)?(?<letter>[rhbskmgtpe])$/i.exec(text);
  const { count, letter } = match?.groups ?? {};
  if (letter === undefined)
    throw new UsageError(`--units takes one of r h b s k m g t p e, or their capitals, not ${text}`);
  if (count === undefined) return { letter, factor: 0, hasSuffix };
  const factor = Number(count) * unitBytes(letter);
  if (!Number.isFinite(factor) || factor < 1)
    throw new UsageError(`--units takes a size such as 4m, not ${text}`);
  return { letter: "U", factor, hasSuffix };
}

/** "40.00m", "<1.95g", "8192S": bytes as LVM2 shows them. */
export function sizeField(bytes: number, { letter, factor, hasSuffix }: SizeUnits): string {
  if (letter === "U") return shown(bytes, factor, 2, hasSuffix ? "U" : "");
  const lower = letter.toLowerCase();
  if (lower === "r" || lower === "h") return humanField(bytes, letter);
  const isWhole = lower === "b" || lower === "s";
  const suffix = hasSuffix ? (isWhole ? letter.toUpperCase() : letter) : "";
  return shown(bytes, unitBytes(letter), isWhole ? 0 : 2, suffix);
}

/** In the largest unit that is not larger than the size. LVM2 leaves the letter out of no such size but zero. */
function humanField(bytes: number, letter: string): string {
  if (bytes === 0) return "0 ";
  const isDecimal = letter === "R" || letter === "H";
  const base = isDecimal ? 1000 : 1024;
  let exponent = PREFIXES.length;
  while (exponent > 1 && bytes < base ** exponent) exponent--;
  const unit = base ** exponent;
  const prefix = PREFIXES[exponent - 1]!;
  const hundredths = (100 * bytes) / unit;
  const mark = letter.toLowerCase() === "r" && toEven(hundredths) > Math.floor(hundredths) ? "<" : "";
  return mark + fixed(bytes / unit, 2) + (isDecimal ? prefix.toUpperCase() : prefix);
}

function shown(bytes: number, unit: number, digits: number, suffix: string): string {
  return bytes === 0 ? `0${suffix}` : fixed(bytes / unit, digits) + suffix;
}

/** As C prints it: what lies right in the middle goes to the even neighbour. */
function fixed(value: number, digits: number): string {
  const scale = 10 ** digits;
  return (toEven(value * scale) / scale).toFixed(digits);
}

function toEven(value: number): number {
  const floor = Math.floor(value);
  return value - floor === 0.5 ? floor + (floor % 2) : Math.round(value);
}

/** Bytes of one unit: lower case counts in powers of 1024, capitals in powers of 1000. */
function unitBytes(letter: string): number {
  const lower = letter.toLowerCase();
  if (lower === "b") return 1;
  if (lower === "s") return SECTOR;
  return (letter === lower ? 1024 : 1000) ** (PREFIXES.indexOf(lower) + 1);
}
