# What the kernel does with the groups of the matrix. Every job has a log of its own, NUMBER.log in the work folder:
# findings as "volume NAME SIZE SHA256" and "finding WHAT NAME VALUE", what the programs print, "result ok" at the end where
# nothing failed.
. "$MATRIX/groups.sh"
set +e
export LVM_SYSTEM_DIR=/run/lvm-only

# job NUMBER FUNCTION ARGUMENT... PV...: a failure ends this job only.
job() {
  number=$1
  shift
  rm -f /run/merged
  (
    set -e
    "$@"
    echo 'result ok'
  ) >"$ORACLE_WORK/$number.log" 2>&1
  vgchange -q -an vg >"$ORACLE_WORK/$number.end" 2>&1
  dmsetup remove_all --force >>"$ORACLE_WORK/$number.end" 2>&1
}

# make SHAPE PV...
make() {
  shape=$1
  shift
  only "$@"
  "shape_$shape" "$@"
  hashes
  listing
  vgcfgbackup -q -f "$ORACLE_WORK/$number.vg" vg
}

# judge MODE PV...: what the kernel finds in a group that cev has written: contents twice, before and after RAID and mirrors are
# compared with themselves.
judge() {
  mode=$1
  shift
  only "$@"
  # One that lacks a physical volume is never in order.
  [ "$mode" = degraded ] || vgck vg
  for device; do checked "$device"; done
  vgchange -q -ay -K --activationmode "$mode" --poll n vg
  lvs --noheadings --separator ' ' -o lv_name,lv_health_status vg 2>/dev/null | while read -r volume health; do
    [ ! "$health" ] || echo "finding health $volume $health"
  done
  settle
  hashes
  lvs --noheadings --separator ' ' -o lv_name,seg_type vg 2>/dev/null | sort -u | while read -r volume kind; do
    case $kind in
      raid1 | raid10 | raid[456]*)
        # LVM2 checks nothing in a group that lacks a physical volume.
        [ "$mode" != degraded ] || continue
        lvchange -q --syncaction check "vg/$volume"
        settle
        echo "finding mismatches $volume $(lvs --noheadings -o raid_mismatch_count "vg/$volume" | tr -d ' ')"
        ;;
      mirror)
        for image in /dev/mapper/vg-"$volume"_mimage_?; do
          cmp "$image" "/dev/vg/$volume" || echo "finding mismatches $volume ${image##*/}"
        done
        ;;
    esac
  done
  listing
  [ ! -e "$ORACLE_WORK/$number.change" ] || change
}

# checked PV: pvck looks at sector 1 if it is not told another.
checked() {
  for sector in 1 0 2; do
    ! pvck --labelsector $sector "$1" || return 0
  done
  pvck --labelsector 3 "$1"
}

# change: what the file NUMBER.change says is done to the group, and looked at again.
change() {
  echo '== changed'
  . "$ORACLE_WORK/$number.change"
  settle
  vgck vg
  echo '== contents'
  hashes
}

# try COMMAND ARGUMENT...: one that may be refused.
try() { "$@" || echo "refused: $*"; }

# crashed PV...: what LVM2 makes of disks after a power cut. A group may need `vgck --updatemetadata`, as LVM2 itself says.
crashed() {
  only "$@"
  pvs
  # Those that are exported are listed only.
  groups=$(vgs --noheadings -o vg_name -S vg_exported=0)
  for vg in $groups; do
    vgck "$vg" || vgck --updatemetadata "$vg"
    vgck "$vg"
  done
  echo '== lvs'
  lvs -a --noheadings --units b --separator '|' -o vg_name,lv_name,lv_size,seg_type,seg_pe_ranges,lv_tags,vg_tags,vg_attr
  echo '== end'
  for vg in $groups; do
    vgchange -q -ay --poll n "$vg" || continue
    for path in $(lvs --noheadings -o lv_path "$vg"); do
      echo "volume ${path#/dev/} $(blockdev --getsize64 "$path") $(sha256sum <"$path" | cut -d' ' -f1)"
    done
    vgchange -q -an "$vg"
  done
}
