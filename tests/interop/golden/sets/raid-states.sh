# An md array caught in a state that does not last. What the array holds is known from before; where the kernel reads it
# in this state, it has to agree.
. "$GOLDEN/lib.sh"
sys=/sys/block/md0/md

# create OPTION...: an array of the devices in $members.
create() { mdadm --create /dev/md0 --run --assume-clean --bitmap="${BITMAP:-none}" --name="$NAME" "$@" $members; }

# fill: long lines of numbers over all of it, which pack well; notes its size and hash.
numbers() { seq -f %0511.0f 1 20000; }
fill() {
  numbers | dd of=/dev/md0 bs=64k iflag=fullblock conv=fsync status=none 2>/run/full || grep -q 'No space' /run/full
  sync
  echo "$(blockdev --getsize64 /dev/md0) $(sha256sum </dev/md0 | cut -d' ' -f1)" >"$ORACLE_WORK/content"
}

# until_at FILE VALUE: waits for the first word of a file of the array.
until_at() {
  until read -r word _ <"$sys/$1" && [ "$word" = "$2" ]; do sleep 0.05; done
}

# spoil DEVICE SECTOR COUNT: other bytes there.
spoil() { tr '\0' '\377' </dev/zero | dd of="$1" bs=512 seek="$2" count="$3" iflag=fullblock conv=notrunc,fsync status=none; }

make_state() {
  members=$*
  case $STATE in
    reshape)
      members="$1 $2 $3"
      create --level=5 --raid-devices=3 --chunk=64
      fill
      mdadm --add /dev/md0 "$4"
      echo 4 >$sys/raid_disks
      echo 1024 >$sys/sync_max
      echo reshape >$sys/sync_action
      until_at sync_completed 1024
      mdadm --stop /dev/md0
      ;;
    reshape-offset)
      # The data moves to another place on the members while the chunks grow.
      create --level=5 --raid-devices=3 --chunk=64 --data-offset=1536K
      fill
      for member in $sys/dev-*; do echo 2560 >"$member/new_offset"; done
      echo 131072 >$sys/chunk_size
      echo 512 >$sys/sync_max
      echo reshape >$sys/sync_action
      until_at sync_completed 512
      mdadm --stop /dev/md0
      ;;
    reshape-backwards)
      # From four members to three: only what three hold is kept. From the end to the beginning.
      create --level=5 --raid-devices=4 --chunk=64 --metadata=0.90
      echo $(($(cat $sys/component_size) * 2)) >$sys/array_size
      fill
      echo 3 >$sys/raid_disks
      echo 1024 >$sys/sync_max
      echo reshape >$sys/sync_action
      until_at sync_completed 1024
      mdadm --stop /dev/md0
      ;;
    journal)
      members="$1 $2 $3"
      create --level=5 --raid-devices=3 --chunk=64 --write-journal="$4"
      fill
      ;;
    ppl)
      create --level=5 --raid-devices=3 --chunk=64 --consistency-policy=ppl
      fill
      ;;
    badblocks)
      create --level=5 --raid-devices=3 --chunk=64
      fill
      echo "2056 8" >$sys/dev-ubda/bad_blocks
      echo "2160 24" >$sys/dev-ubda/bad_blocks
      echo "3000 1" >$sys/dev-ubdc/bad_blocks
      # The log is written with the next superblock. Nothing may be read until then: that would put the blocks right.
      numbers | dd of=/dev/md0 bs=4k count=1 iflag=fullblock oflag=direct status=none
      mdadm --stop /dev/md0
      # What the log names is not to be believed.
      spoil "$1" 2056 8
      spoil "$1" 2160 24
      spoil "$3" 3000 1
      ;;
    recovering)
      create --level=6 --raid-devices=4 --chunk=64
      fill
      mdadm --manage /dev/md0 --fail "$2"
      mdadm --manage /dev/md0 --remove "$2"
      mdadm --zero-superblock "$2"
      echo 1024 >$sys/sync_max
      mdadm --manage /dev/md0 --add "$2"
      until_at sync_completed 1024
      echo frozen >$sys/sync_action
      mdadm --stop /dev/md0
      ;;
    resyncing)
      # Slow at first, or it is over before it can be stopped.
      echo 1 >/proc/sys/dev/raid/speed_limit_min
      echo 1 >/proc/sys/dev/raid/speed_limit_max
      mdadm --create /dev/md0 --run --level=1 --bitmap=none --name="$NAME" --raid-devices=2 "$1" "$2"
      echo 1024 >$sys/sync_max
      echo 100000 >$sys/sync_speed_max
      echo 100000 >$sys/sync_speed_min
      until_at sync_completed 1024
      fill
      echo frozen >$sys/sync_action
      mdadm --stop /dev/md0
      # What is not resynced yet may differ: the first member counts.
      spoil "$2" 3300 100
      ;;
    replacement)
      members="$1 $2 $3"
      create --level=5 --raid-devices=3 --chunk=64
      fill
      mdadm --manage /dev/md0 --add "$4"
      echo 1024 >$sys/sync_max
      mdadm --manage /dev/md0 --replace "$2" --with "$4"
      until_at sync_completed 1024
      echo frozen >$sys/sync_action
      mdadm --stop /dev/md0
      ;;
    spare)
      members="$1 $2 $3"
      create --level=5 --raid-devices=3 --chunk=64
      mdadm --manage /dev/md0 --add "$4"
      fill
      ;;
    old)
      create --level=5 --raid-devices=3 --chunk=64 --metadata=0.90 --bitmap-chunk=16K
      fill
      ;;
  esac
}

case $STEP in
  make)
    make_state "$@"
    ;;
  read)
    for member; do mdadm --examine "$member"; done
    head -c 1M /dev/zero >/run/backup
    case $STATE in
      # mdadm wants to take this one further by itself, and has no backup: so without mdadm.
      reshape-backwards)
        echo md0 >/sys/module/md_mod/parameters/new_array
        echo 0.90 >$sys/metadata_version
        for member; do cat "/sys/block/${member#/dev/}/dev" >$sys/new_dev; done
        echo active >$sys/array_state
        [ -e /dev/md0 ] || mknod /dev/md0 b 9 0
        ;;
      # What was being moved when it stopped was complete: there is no backup, and no need of one.
      reshape*) mdadm --assemble --freeze-reshape --backup-file=/run/backup --invalid-backup --run /dev/md0 "$@" ;;
      *) mdadm --assemble --run /dev/md0 "$@" ;;
    esac
    cat /proc/mdstat
    read -r size hash <content
    printf 'layer\tmd\t%s\t%s\n' "$size" "$hash" >>facts
    # Where a reshape stands still, the kernel does not answer everywhere: there it goes to its end first.
    case $STATE in reshape*)
      echo max >$sys/sync_max
      echo idle >$sys/sync_action
      until_at reshape_position none
    esac
    [ "$(head -c "$size" /dev/md0 | sha256sum | cut -d' ' -f1)" = "$hash" ]
    fact array.uuid "$(mdadm --examine "$1" | sed -n 's/ *\(Array \)\?UUID : \([0-9a-f:]*\).*/\2/p')"
    fact array.name "oracle:$NAME"
    fact array.state "$STATE"
    ;;
esac
