#!/bin/sh
# The kernel's md over ramdisks (brd), inside the oracle: what array-parity.ts is held against. Prints a line for each
# load: its name and a figure, KiB or requests per second. Settings come as variables of these names.
set -e
: "${LEVEL:?}" "${MEMBERS:?}" "${CHUNK_KIB:?}" "${MEMBER_MIB:?}" "${STRIPES_KIB:?}"
modprobe brd rd_nr="$MEMBERS" rd_size=$((MEMBER_MIB * 1024))
disks=$(seq -f /dev/ram%g 0 $((MEMBERS - 1)))
echo 10000000 >/proc/sys/dev/raid/speed_limit_max
echo 10000000 >/proc/sys/dev/raid/speed_limit_min
# shellcheck disable=SC2086
mdadm -q --create /dev/md0 --run --assume-clean --level="$LEVEL" --raid-devices="$MEMBERS" --chunk="$CHUNK_KIB" \
  --bitmap=none $disks 2>/dev/null
echo 4096 >/sys/block/md0/md/stripe_cache_size

# load NAME FIELD ARGUMENTS...: FIELD 7 and 48 are KiB per second read and written, 8 and 49 requests per second.
load() {
  name=$1 field=$2
  shift 2
  fio --name=load --filename=/dev/md0 --direct=1 --ioengine=libaio --minimal "$@" |
    cut -d';' -f"$field" | sed "s/^/$name /"
}

load warm 48 --rw=write --bs="${STRIPES_KIB}k" --iodepth=4
load sequential 48 --rw=write --bs="${STRIPES_KIB}k" --iodepth=4 --loops=2
load random 49 --rw=randwrite --bs=4k --iodepth=32 --runtime=1 --time_based
mdadm -q /dev/md0 --fail /dev/ram1
mdadm -q /dev/md0 --remove /dev/ram1 2>/dev/null
load degraded-random 8 --rw=randread --bs=4k --iodepth=32 --runtime=1 --time_based
load degraded 7 --rw=read --bs=1m --iodepth=4 --loops=2
mdadm -q --zero-superblock /dev/ram1
mdadm -q /dev/md0 --add /dev/ram1
mdadm --wait /dev/md0 || :
until read -r action </sys/block/md0/md/sync_action && [ "$action" = idle ]; do sleep 0.05; done
# By the kernel's own clock: starting a program takes longer here than some rebuilds.
dmesg | awk -F'[][]' -v mib="$MEMBER_MIB" '
  /md: recovery of RAID array md0/ { start = $2 }
  /md: md0: recovery done/ { if ($2 > start) print "rebuild", mib * 1024 / ($2 - start) }'
