// Asks the kernel where its arrays keep each unit of 4 KiB, and writes its answers to places.txt:
// node test/kernel-layouts/make.ts. The kernel is the one of tests/interop/oracle.
import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { UNIT, kernelArrays } from "./recipes.ts";
import type { KernelArray } from "./recipes.ts";

const ORACLE = fileURLToPath(new URL("../../../../tests/interop/oracle/linux-oracle", import.meta.url));
const MEMBERS = 7;
const PATTERN_UNITS = 128;
// Where in a unit its number stands, behind a byte for each column of a stripe.
const NUMBER_AT = 256;

const SCRIPT = `
number=0
modprobe -a linear raid0 raid1 raid456 raid10
while read -r level layout chunk sizes; do
  echo md$number >/sys/module/md_mod/parameters/new_array
  cd /sys/block/md$number/md
  echo none >metadata_version
  case $level in -1) echo linear ;; *) echo raid$level ;; esac >level
  set -- $sizes
  echo $# >raid_disks
  echo $chunk >chunk_size
  echo $layout >layout
  slot=0
  for device in a b c d e f g; do
    [ $# -gt 0 ] || break
    dd if=/dev/zero of=/dev/ubd$device bs=4k count=64 oflag=direct status=none
    cat /sys/block/ubd$device/dev >new_dev
    echo $slot >dev-ubd$device/slot
    echo $1 >dev-ubd$device/size
    least=$1
    slot=$((slot + 1))
    shift
  done
  [ $level -le 0 ] || echo $least >component_size
  echo none >resync_start
  echo active >array_state || { dmesg | tail -5; exit 1; }
  size=$(cat ../size)
  echo $size >>"$ORACLE_WORK/sizes"
  set -- $sizes
  columns=$#
  case $level in 4 | 5) columns=$(($# - 1)) ;; 6) columns=$(($# - 2)) ;; esac
  dd if="$ORACLE_WORK/pattern$columns" of=/dev/md$number bs=512 count=$size conv=fsync status=none
  echo clear >array_state
  for device in a b c d e f g; do
    [ $# -gt 0 ] || break
    dd if=/dev/ubd$device bs=4k count=64 iflag=direct status=none >>"$ORACLE_WORK/dump"
    shift
  done
  number=$((number + 1))
done <"$ORACLE_WORK/arrays"
`;

const work = mkdtempSync(join(tmpdir(), "kernel-layouts-"));
try {
  const arrays = kernelArrays();
  writeFileSync(join(work, "arrays"), arrays.map(lineOf).join(""));
  for (let columns = 1; columns <= MEMBERS; columns++)
    writeFileSync(join(work, `pattern${columns}`), pattern(columns));
  writeFileSync(join(work, "script"), `set -e\n${SCRIPT}`);
  const disks = Array.from({ length: MEMBERS }, (_, index) => emptyImage(join(work, `disk${index}`)));
  execFileSync(ORACLE, ["--timeout", "500", "--work", work, join(work, "script"), ...disks], {
    stdio: ["ignore", "inherit", "inherit"],
  });
  const dump = readFileSync(join(work, "dump"));
  const sizes = readFileSync(join(work, "sizes"), "utf8").trim().split("\n");
  let at = 0;
  const answers = arrays.map((array, index) => {
    const length = array.memberSizes.length * 64 * UNIT;
    const answer = describe(array, dump.subarray(at, at + length));
    at += length;
    return `${[array.level, array.layout, array.chunkSize, array.memberSizes.join("+"), Number(sizes[index]) * 512].join(" ")} ${answer}\n`;
  });
  writeFileSync(new URL("places.txt", import.meta.url), answers.join(""));
} finally {
  rmSync(work, { recursive: true });
}

function lineOf({ level, layout, chunkSize, memberSizes }: KernelArray): string {
  const kibs = memberSizes.map((size) => size / 1024);
  return `${level} ${layout} ${chunkSize} ${kibs.join(" ")}\n`;
}

/** Units with a number each; the byte of its column is 1, so that in Q it becomes the column's coefficient. */
function pattern(columns: number): Buffer {
  const bytes = Buffer.alloc(PATTERN_UNITS * UNIT);
  for (let unit = 0; unit < PATTERN_UNITS; unit++) {
    bytes[unit * UNIT + (unit % columns)] = 1;
    bytes[unit * UNIT + NUMBER_AT] = unit + 1;
  }
  return bytes;
}

function emptyImage(path: string): string {
  const file = openSync(path, "w");
  ftruncateSync(file, 4 * 1024 * 1024);
  closeSync(file);
  return path;
}

/** A word for each member: its units in order, as numbers, "P", "Q" with the coefficients of the columns, or "-". */
function describe({ level, memberSizes }: KernelArray, dump: Buffer): string {
  const columns = memberSizes.length - (level === 6 ? 2 : 1);
  return memberSizes
    .map((size, member) => {
      const units: string[] = [];
      for (let unit = 0; unit < Math.floor(size / UNIT); unit++) {
        const start = (member * 64 + unit) * UNIT;
        units.push(describeUnit(dump.subarray(start, start + UNIT), level >= 4 && level <= 6 ? columns : 0));
      }
      return units.join(",");
    })
    .join(" ");
}

function describeUnit(unit: Buffer, columns: number): string {
  const ones = [...unit.subarray(0, columns)];
  if (columns > 1 && ones.every((byte) => byte !== 0))
    return ones.every((byte) => byte === 1) ? "P" : `Q${ones.join(".")}`;
  return unit[NUMBER_AT] === 0 ? "-" : `${unit[NUMBER_AT]! - 1}`;
}
