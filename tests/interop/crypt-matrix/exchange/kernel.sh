# What cryptsetup and the kernel do with the devices of the matrix. Every job has a script NUMBER.sh with what it is about,
# and a log of its own, NUMBER.log in the work folder: "hash WHEN SHA256" for what the places hold, what the programs print, and
# "result ok" at the end where nothing failed.
set +e
modprobe -a dm-crypt dm-zero 2>/dev/null

# job NUMBER FUNCTION: a failure ends this job only.
job() {
  number=$1
  (
    set -e
    . "$ORACLE_WORK/$number.sh"
    assemble
    "$2"
    echo 'result ok'
  ) >"$ORACLE_WORK/$number.log" 2>&1
  dmsetup remove_all --force >"$ORACLE_WORK/$number.end" 2>&1
}

# assemble: the device is the image, or both ends of it with a gap between them. GAP: where it begins and how long it is, in sectors.
assemble() {
  disk=$DATA
  [ "$GAP_LENGTH" ] || return 0
  tail=$(($(blockdev --getsz "$DATA") - GAP_START))
  disk=/dev/mapper/whole
  {
    [ "$GAP_START" = 0 ] || echo "0 $GAP_START linear $DATA 0"
    echo "$GAP_START $GAP_LENGTH zero"
    echo "$((GAP_START + GAP_LENGTH)) $tail linear $DATA $GAP_START"
  } | dmsetup create whole
}

# format OPTION...
format() {
  cryptsetup -q luksFormat --disable-locks ${HEADER:+--header "$HEADER"} "$@" "$disk" "$KEY"
}

# unlock OPTION...
unlock() {
  cryptsetup -q open --disable-locks --key-file "$KEY" ${HEADER:+--header "$HEADER"} "$@" "$disk" plain
}

# unlock_typed OPTION...: plain mode, by a passphrase.
unlock_typed() {
  cryptsetup -q open "$@" "$disk" plain <"$KEY"
}

# fill SKIP: the content of this file, from there on, to every place.
fill() {
  at=$1
  for place in $PLACES; do
    dd if="$ORACLE_WORK/content" of=/dev/mapper/plain bs=64k conv=notrunc,fsync status=none \
      iflag=skip_bytes,count_bytes oflag=seek_bytes skip="$at" seek="${place%:*}" count="${place#*:}"
    at=$((at + ${place#*:}))
  done
}

# dump: what the places hold, one after the other.
dump() {
  for place in $PLACES; do
    dd if=/dev/mapper/plain bs=64k status=none iflag=skip_bytes,count_bytes skip="${place%:*}" count="${place#*:}"
  done
}

hash() { echo "hash $1 $(dump | sha256sum | cut -d' ' -f1) $(blockdev --getsize64 /dev/mapper/plain)"; }

make() {
  prepare
  open
  fill "$CONTENT"
  hash made
  dmsetup remove plain
}

judge() {
  [ ! "$IS_LUKS" ] || check
  open
  hash found
  fill "$SECOND"
  dmsetup remove plain
}

# check: the header is in order for cryptsetup.
check() {
  cryptsetup luksDump --disable-locks "${HEADER:-$disk}" >/dev/null
  cryptsetup -q luksOpen --test-passphrase --disable-locks --key-file "$KEY" "${HEADER:-$disk}"
  cryptsetup -q repair --disable-locks "${HEADER:-$disk}"
}
