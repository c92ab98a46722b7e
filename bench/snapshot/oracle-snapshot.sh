#!/bin/sh
# The kernel's dm-snapshot over ramdisks (brd), inside the oracle: what main.ts is held against. Prints a line for each
# load: its name, and requests per second. Settings come as variables of these names.
set -e
: "${ORIGIN_MIB:?}"
modprobe brd rd_nr=2 rd_size=$((ORIGIN_MIB * 1024 * 3 / 2))
sectors=$((ORIGIN_MIB * 2048))
# What is written for the first time costs the ramdisks their memory.
dd if=/dev/zero of=/dev/ram0 bs=1M 2>/dev/null || :
dd if=/dev/zero of=/dev/ram1 bs=1M 2>/dev/null || :

# begin CHUNK_SECTORS: a new snapshot, and its origin after it, so that writes are split at its chunks.
begin() {
  dd if=/dev/zero of=/dev/ram1 bs=4k count=1 conv=notrunc status=none
  dmsetup create snap --table "0 $sectors snapshot /dev/ram0 /dev/ram1 P $1"
  dmsetup create origin --table "0 $sectors snapshot-origin /dev/ram0"
}

end() {
  dmsetup remove origin
  dmsetup remove snap
}

# load NAME DEVICE ARGUMENTS...: writes of 4 KiB, 32 at once.
load() {
  name=$1 device=$2
  shift 2
  fio --name=load --filename="/dev/mapper/$device" --direct=1 --ioengine=libaio --iodepth=32 --bs=4k --minimal "$@" |
    cut -d';' -f49 | sed "s/^/$name /"
}

for device in origin snap; do
  begin 8
  load "$device-first" "$device" --rw=randwrite
  load "$device-again" "$device" --rw=randwrite
  end
  begin 128
  load "$device-large" "$device" --rw=write:60k
  end
done
