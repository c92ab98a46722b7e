# What the kernel does with the arrays of the matrix. Every array has a log of its own, NUMBER.log in the work
# folder: findings as "NAME VALUE", what the programs print, "result ok" at the end where nothing failed.
set +e

# job NUMBER FUNCTION ARGUMENT...: a failure ends this job only.
job() {
  number=$1
  md=/dev/md$number
  md_sys=/sys/block/md$number/md
  shift
  (
    set -e
    "$@"
    echo 'result ok'
  ) >"$ORACLE_WORK/$number.log" 2>&1
  [ ! -e "$md_sys/array_state" ] || mdadm --stop "$md" >>"$ORACLE_WORK/$number.log" 2>&1
}

# settle DEGRADED: until nothing is left to resync or rebuild and so many members are missing; a minute is too long for
# arrays as small as these.
settle() {
  [ -e "$md_sys/sync_action" ] || return 0
  tries=0
  while read -r action <"$md_sys/sync_action" && read -r degraded <"$md_sys/degraded" &&
    read -r start <"$md_sys/resync_start" && [ "$action/$degraded/$start" != "idle/$1/none" ]; do
    tries=$((tries + 1))
    if [ $tries -gt 1200 ]; then
      echo "does not settle: sync_action $action, degraded $degraded (not $1), resync_start $start"
      return 1
    fi
    sleep 0.05
  done
}

# content NAME: the hash of all that the disks give, whatever is in memory.
content() { echo "$1 $(dd if="$md" bs=1M iflag=direct status=none | sha256sum)"; }

# create SKIP OPTIONS MEMBER...: makes an array and fills it with the bytes from SKIP on of the file of content.
create() {
  skip=$1
  options=$2
  shift 2
  mdadm --create "$md" --run $options --raid-devices=$# "$@"
  settle 0
  fill "$skip" "$@"
}

# become_raid0 SKIP OPTIONS MEMBER...: the same for a RAID0 of version 0.90, which mdadm does not make any more; but the
# kernel makes one of a RAID4 that lacks its parity.
become_raid0() {
  skip=$1
  options=$2
  shift 2
  mdadm --create "$md" --run $options --raid-devices=$(($# + 1)) "$@" missing
  echo raid0 >"$md_sys/level"
  fill "$skip" "$@"
}

fill() {
  skip=$1
  shift
  read -r sectors <"/sys/block/md$number/size"
  echo "size $((sectors * 512))"
  dd if=content of="$md" bs=256k iflag=fullblock,count_bytes,skip_bytes skip="$skip" count=$((sectors * 512)) \
    conv=fsync status=none
  settle 0
  mdadm --stop "$md"
  echo '== members as the kernel left them'
  mdadm --examine "$@"
}

# examine MEMBER...
examine() {
  echo '== members'
  mdadm --examine "$@"
}

# judge COUNT HOW ABSENT MEMBER...: ABSENT are the numbers (from 1) of the COUNT members that were not there for the last
# writes; HOW they come back: --re-add, by the bitmap, or --add.
judge() {
  count=$1
  how=$2
  absent=$3
  shift 3
  echo '== members as they came'
  mdadm --examine "$@"
  if [ "$how" = --re-add ]; then
    echo '== bitmaps as they came'
    mdadm --examine-bitmap "$@"
  fi
  echo '== assembling'
  mdadm --assemble --run "$md" "$@"
  # A resync that was not over waits for the first write, or for this.
  read -r state <"$md_sys/array_state"
  [ "$state" != read-auto ] || echo active >"$md_sys/array_state"
  settle "$count"
  content before
  if [ "$absent" ]; then
    members=
    for number_absent in $absent; do eval "members=\"\$members \${$number_absent}\""; done
    mdadm --manage "$md" "$how" $members
    settle 0
    content after
  fi
  if [ -e "$md_sys/mismatch_cnt" ]; then
    echo check >"$md_sys/sync_action"
    settle 0
    read -r mismatches <"$md_sys/mismatch_cnt"
    echo "mismatches $mismatches"
  fi
  mdadm --stop "$md"
}
