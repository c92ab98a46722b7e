# A RAID5 alone, with a pattern at its start and at its end. CHUNK in KiB; STATE is clean, or stale (the
# member 1 failed before the last writes), or dirty (the power is cut in the middle of writing).
. "$GOLDEN/lib.sh"

case $STEP in
  make)
    mdadm --create /dev/md0 --run --level=5 --raid-devices=$# --chunk="$CHUNK" --bitmap="${BITMAP:-none}" ${BITMAP_CHUNK:+--bitmap-chunk="$BITMAP_CHUNK"} --name="$NAME" "$@"
    idle md0
    seq 1 200000 | dd of=/dev/md0 bs=64k count=5 iflag=fullblock conv=fsync status=none
    size=$(($(blockdev --getsize64 /dev/md0) / 65536))
    seq 500000 700000 | dd of=/dev/md0 bs=64k count=3 seek=$((size - 3)) iflag=fullblock conv=fsync status=none
    case $STATE in
      stale)
        mdadm --manage /dev/md0 --fail "$2"
        mdadm --manage /dev/md0 --remove "$2"
        seq 900000 990000 | dd of=/dev/md0 bs=4k seek=13 count=40 iflag=fullblock conv=fsync status=none
        ;;
      dirty)
        seq 900000 990000 | dd of=/dev/md0 bs=4k seek=13 count=40 iflag=fullblock conv=fsync status=none
        ;;
    esac
    ;;
  read)
    # A member that fell behind is left alone, and says so.
    mdadm --assemble $([ "$STATE" = dirty ] || echo --readonly) --run /dev/md0 "$@"
    [ "$STATE" != stale ] || [ "$(cat /sys/block/md0/md/degraded)" = 1 ]
    fact array.uuid "$(mdadm --detail /dev/md0 | sed -n 's/ *UUID : //p')"
    fact array.name "oracle:$NAME"
    fact array.state "$STATE"
    layer md /dev/md0
    ;;
esac
