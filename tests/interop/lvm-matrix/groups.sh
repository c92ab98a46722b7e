# How the kernel makes the groups of the matrix, and of the golden sets named lvm-*. Each shape is a function that takes
# its physical volumes as arguments and makes the group vg on them. `volume` makes a volume and fills it with a part of
# the file `content` of its own.
set -e
export LVM_SUPPRESS_FD_WARNINGS=1
fills=0

# only DEVICE...: from now on LVM2 sees these devices alone, so that groups of one name do not meet.
only() {
  export LVM_SYSTEM_DIR=/run/lvm-only
  mkdir -p $LVM_SYSTEM_DIR
  accepted=
  for device; do accepted="$accepted \"a|^$device\$|\","; done
  {
    cat /etc/lvm/lvm.conf
    echo "devices/filter=[$accepted \"r|.*|\"]"
    echo 'activation/snapshot_autoextend_threshold=100'
  } >$LVM_SYSTEM_DIR/lvm.conf
}

# fill NAME [SKIP [COUNT]]: writes a part of the content over the volume, or over so much of it (both in KiB).
fill() {
  fills=$((fills + 1))
  if [ "${3-}" ]; then count=$(($3 * 1024)); else count=$(blockdev --getsize64 "/dev/vg/$1"); fi
  dd if=content of="/dev/vg/$1" bs=256k iflag=fullblock,count_bytes,skip_bytes \
    oflag=seek_bytes conv=fsync,notrunc status=none skip=$((fills * 65536)) seek=$((${2-0} * 1024)) count=$count
}

# volume NAME LVCREATE-ARGUMENT...
volume() {
  name=$1
  shift
  lvcreate -q -y -Wn -Zn -n "$name" "$@"
  case "$*" in *raid*|*mirror*) settle ;; esac
  fill "$name"
}

# settle: until nothing is left to resync.
settle() {
  tries=0
  while lvs -a --noheadings --separator '|' -o segtype,sync_percent,raid_sync_action vg |
    grep -E '^ *(raid[1-9]|mirror)' | grep -Evq '\|100\.00\|(idle)?$'; do
    tries=$((tries + 1))
    if [ $tries -gt 300 ]; then
      lvs -a -o name,sync_percent,raid_sync_action vg
      return 1
    fi
    sleep 0.05
  done
}

# labels PV...: with a small ring of metadata, so that it wraps soon.
labels() { pvcreate -q -y --metadatasize 32k --dataalignment 64k "$@"; }

# group EXTENT PV...: on physical volumes that have labels or not.
group() {
  extent=$1
  shift
  vgcreate -q -s "$extent" vg "$@"
}

# renames COUNT: of the volume named `turning`, so that the ring of metadata wraps.
renames() {
  lvcreate -q -y -Wn -Zn -l 1 -n turning0 vg
  turn=0
  while [ $turn -lt "$1" ]; do
    lvrename -q vg turning$turn turning$((turn + 1))
    turn=$((turn + 1))
  done
  lvrename -q vg turning$turn turned
  fill turned
}

# ---- linear and striped -----------------------------------------------------------------------------

# Pieces out of order over two physical volumes, and a ring of 16 KiB that has wrapped a few times.
shape_linear() {
  pvcreate -q --metadatasize 16k --dataalignment 64k "$@"
  group 64k "$@"
  lvcreate -q -y -Wn -Zn -l 20 -n pieces vg "$1:40-59"
  lvextend -q -l +15 vg/pieces "$2:7-21"
  lvextend -q -l +5 vg/pieces "$1:10-14"
  lvextend -q -l +9 vg/pieces "$1:0-8"
  lvextend -q -l +1 vg/pieces "$2:0-0"
  fill pieces
  volume second -l 10 vg "$1"
  volume third -l 10 vg "$2"
  lvreduce -q -f -l -4 vg/second
  lvextend -q -l +20 --alloc anywhere vg/third
  fill third
  renames 40
}

# One physical volume without metadata, one with two areas, one whose areas are ignored, one as most are.
shape_areas() {
  pvcreate -q --pvmetadatacopies 0 --dataalignment 64k "$1"
  pvcreate -q --metadatasize 32k --dataalignment 64k --pvmetadatacopies 2 "$2"
  pvcreate -q --metadatasize 32k --dataalignment 64k --metadataignore y "$3"
  pvcreate -q "$4"
  group 64k "$@"
  volume on0 -l 10 vg "$1"
  volume on1 -l 11 vg "$2"
  volume on2 -l 12 vg "$3"
  volume on3 -l 13 vg "$4"
  renames 30
}

shape_striped() {
  labels "$@"
  group 64k "$@"
  volume two -l 30 -i 2 -I 4k vg "$1" "$2"
  volume three -l 30 -i 3 -I 64k vg "$@"
  volume mixed -l 21 -i 3 -I 16k vg "$@"
  lvextend -q -i 1 -l +5 vg/mixed "$2"
  lvextend -q -i 2 -I 8k -l +6 vg/mixed "$1" "$3"
  fill mixed
}

# Names with all signs that may be in them, tags, permissions, a volume that is not activated of itself, an exported group.
shape_words() {
  labels "$@"
  vgcreate -q -s 64k --addtag 'tag/of=the+group' --addtag '@second' vg "$@"
  volume a_b.c+d-e -l 4 --addtag 'x&y:z#1!' vg "$1"
  volume readonly -l 4 vg "$1"
  lvchange -q -pr vg/readonly
  volume skipped -l 4 vg "$2"
  lvchange -q -k y vg/skipped
  volume 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789 -l 3 vg
  lvchange -q --addtag one --addtag two --deltag one vg/readonly
  pvchange -q --addtag disk "$2"
  pvchange -q -xn "$2"
}

# ---- copies -----------------------------------------------------------------------------------------

shape_mirror() {
  labels "$@"
  group 64k "$@"
  volume core -l 24 --type mirror -m 1 --mirrorlog core -R 64k vg "$1" "$2"
  volume disk -l 24 --type mirror -m 1 --mirrorlog disk -R 64k vg "$1" "$2" "$3"
  volume three -l 20 --type mirror -m 2 --mirrorlog disk -R 64k vg "$1" "$2" "$3" "$4"
  lvextend -q -l +6 vg/core "$1" "$4"
  settle
  fill core
}

shape_raid0() {
  labels "$@"
  group 128k "$@"
  volume plain -l 24 --type raid0 -i 3 -I 16k vg
  volume meta -l 24 --type raid0_meta -i 3 -I 64k vg
}

shape_raid1() {
  labels "$@"
  group 128k "$@"
  volume two -l 16 --type raid1 -m 1 vg "$1" "$2"
  volume three -l 20 --type raid1 -m 2 vg
  lvextend -q -l +8 vg/two "$1" "$3"
  settle
  fill two
}

# raid TYPE STRIPES PV...
raid() {
  type=$1
  stripes=$2
  shift 2
  labels "$@"
  group 128k "$@"
  volume small --type "$type" -l $((stripes * 5)) -i "$stripes" -I 4k vg
  volume large --type "$type" -l $((stripes * 8)) -i "$stripes" -I 64k vg
  lvextend -q -l +$((stripes * 3)) vg/large
  settle
  fill large
}

shape_raid4() { raid raid4 2 "$@"; }
shape_raid5_ls() { raid raid5_ls 3 "$@"; }
shape_raid5_la() { raid raid5_la 2 "$@"; }
shape_raid5_rs() { raid raid5_rs 2 "$@"; }
shape_raid5_ra() { raid raid5_ra 3 "$@"; }
shape_raid5_n() { raid raid5_n 2 "$@"; }
shape_raid6_zr() { raid raid6_zr 3 "$@"; }
shape_raid6_nr() { raid raid6_nr 3 "$@"; }
shape_raid6_nc() { raid raid6_nc 3 "$@"; }
shape_raid6_ls_6() { raid raid6_ls_6 3 "$@"; }
shape_raid6_la_6() { raid raid6_la_6 3 "$@"; }
shape_raid6_rs_6() { raid raid6_rs_6 3 "$@"; }
shape_raid6_ra_6() { raid raid6_ra_6 3 "$@"; }
shape_raid6_n_6() { raid raid6_n_6 3 "$@"; }

shape_raid10() {
  labels "$@"
  group 128k "$@"
  volume four --type raid10 -l 12 -i 2 -m 1 -I 64k vg "$1" "$2" "$3" "$4"
  volume six --type raid10 -l 12 -i 3 -m 1 -I 4k vg
}

# Without one member, which is gone for good: its place is kept by an error segment or a missing physical volume.
shape_degraded() {
  labels "$@"
  group 128k "$@"
  volume five --type raid5_ls -l 12 -i 2 -I 64k vg "$1" "$2" "$3"
  volume one --type raid1 -l 8 -m 1 vg "$1" "$3"
  volume alone -l 5 vg "$2"
  lvchange -q -an vg
  only "$1" "$2"
  vgchange -q -ay --activationmode degraded vg
  fill five
  fill one
  lvchange -q --addtag changed vg/alone
}

# ---- snapshots --------------------------------------------------------------------------------------

shape_snapshot() {
  labels "$@"
  group 64k "$@"
  volume origin -l 40 vg "$1"
  lvcreate -q -y -s -c 4k -l 30 -n early vg/origin "$2"
  fill origin 0 300
  fill origin 1000 37
  fill early 600 100
  lvcreate -q -y -s -c 64k -l 50 -n late vg/origin "$2"
  fill origin 200 300
  fill late 100 21
  lvcreate -q -y -s -c 16k -l 5 -pr -n untouched vg/origin "$1"
}

# A store that is full is no snapshot any more.
shape_overflow() {
  labels "$@"
  group 64k "$@"
  volume origin -l 40 vg "$1"
  lvcreate -q -y -s -c 4k -l 4 -n full vg/origin "$2"
  lvcreate -q -y -s -c 4k -l 45 -n good vg/origin "$2"
  fill origin 0 1500
  fill good 1000 400
}

# To be merged at the next activation; from then on the origin has what the snapshot has.
shape_merge_due() {
  labels "$@"
  group 64k "$@"
  volume origin -l 40 vg "$1"
  lvcreate -q -y -s -c 4k -l 45 -n back vg/origin "$2"
  fill origin 100 900
  fill back 500 900
  merge_later
}

# merge_later: `back` into `origin`, which is in use.
merge_later() {
  dd if=/dev/vg/back bs=1M iflag=direct status=none | sha256sum | cut -d' ' -f1 >/run/merged
  exec 9</dev/vg/origin
  lvconvert -q -y --merge vg/back
  exec 9<&-
}

# The merge has begun, and was stopped somewhere. That takes many chunks that do not follow each other: so the snapshot is
# written through a map of its chunks in another order.
shape_merge_half() {
  labels "$@"
  group 64k "$@"
  volume origin -l 128 vg "$1"
  lvcreate -q -y -s -c 4k -l 140 -n back vg/origin "$2"
  fill origin 100 900
  awk 'BEGIN { for (i = 0; i < 2048; i++) print i * 8, 8, "linear /dev/vg/back", i * 797 % 2048 * 8 }' | dmsetup create mixed
  dd if=content of=/dev/mapper/mixed bs=256k skip=8 count=24 oflag=direct status=none
  dmsetup remove mixed
  merge_later
  lvchange -q -an vg
  echo 1 >/sys/module/dm_snapshot/parameters/snapshot_copy_throttle
  lvchange -q -ay --poll n vg/origin
  dmsetup status vg-origin
  lvchange -q -an vg/origin
  echo 100 >/sys/module/dm_snapshot/parameters/snapshot_copy_throttle
}

# A snapshot of a volume of each kind, and one that is itself on stripes.
shape_layered() {
  labels "$@"
  group 128k "$@"
  volume copies --type raid1 -m 1 -l 16 vg "$1" "$2"
  lvcreate -q -y -s -c 8k -l 8 -n of_copies vg/copies "$3"
  fill copies 300 200
  volume parity --type raid5_ls -i 2 -I 16k -l 16 vg
  lvcreate -q -y -s -c 8k -l 8 -i 2 -I 4k -n of_parity vg/parity "$1" "$2"
  fill parity 100 200
  fill of_parity 900 100
  volume stripes -i 3 -I 8k -l 9 vg
  lvcreate -q -y -s -c 4k -l 8 -n of_stripes vg/stripes
  fill stripes 0 500
}

# ---- others -----------------------------------------------------------------------------------------

shape_targets() {
  labels "$@"
  group 64k "$@"
  lvcreate -q -y -Wn -Zn --type zero -l 10 -n zeroes vg
  lvcreate -q -y -Wn -Zn --type error -l 10 -n errors vg
  volume plain -l 10 vg
}

shape_thin() {
  labels "$@"
  group 64k "$@"
  volume outside -l 30 vg "$1"
  lvchange -q -an -pr vg/outside
  lvcreate -q -y --type thin-pool -l 120 -c 64k --poolmetadatasize 2m -Zy -n pool vg
  lvcreate -q -y -V 4m -n first --thinpool pool vg
  fill first 0 1500
  fill first 3000 100
  lvcreate -q -y -s -kn -n snap vg/first
  fill first 1000 700
  fill snap 2000 300
  lvcreate -q -y -s -kn -n again vg/snap
  fill again 0 64
  lvcreate -q -y -V 200m -n sparse --thinpool pool vg
  fill sparse 150000 200
  lvcreate -q -y -s -kn --thinpool pool -n external vg/outside
  fill external 100 200
  lvcreate -q -y -V 2m -n empty --thinpool pool vg
  fstrim /dev/null 2>/dev/null || :
  blkdiscard -o 65536 -l 131072 /dev/vg/again || :
}

# What is named and refused; the volume beside it is not.
shape_cache() {
  labels "$@"
  group 64k "$@"
  volume plain -l 10 vg
  volume cached -l 40 vg "$1"
  lvcreate -q -y --type cache-pool -l 20 --poolmetadatasize 2m -n fast vg "$2"
  lvconvert -q -y --type cache --cachepool fast vg/cached
  volume written -l 40 vg "$1"
  lvcreate -q -y -Wn -Zn -an -l 20 -n faster vg "$2"
  lvchange -q -an vg/written
  lvconvert -q -y --type writecache --cachevol faster vg/written
}

shape_integrity() {
  labels "$@"
  group 64k "$@"
  volume plain -l 10 vg
  volume sure --type raid1 -m 1 --raidintegrity y -l 32 vg
}

# ---- what is said of a group ------------------------------------------------------------------------

# hashes: the content of every volume that can be read, whatever is in memory.
hashes() {
  if [ -e /run/merged ]; then
    echo "volume origin $(lvs --noheadings --units b --nosuffix -o lv_size vg/origin | tr -d ' ') $(cat /run/merged)"
    return
  fi
  lvs --noheadings --separator ' ' -o lv_name,lv_active,lv_snapshot_invalid vg 2>/dev/null | while read -r volume active invalid; do
    [ "$active" = active ] && [ "$invalid" != 'snapshot invalid' ] || continue
    bytes=$(blockdev --getsize64 "/dev/vg/$volume" 2>/dev/null) || continue
    hash=$(dd if="/dev/vg/$volume" bs=1M iflag=direct status=none | sha256sum | cut -d' ' -f1)
    # Nothing at all was read.
    case $hash in e3b0c44298fc1c149afbf4c8996fb924*) continue ;; esac
    echo "volume $volume $bytes $hash"
  done
}

# listing: what LVM2 makes of the group, as text; for people, and to compare.
listing() {
  echo '== lvs'
  lvs -a --noheadings --units b --nosuffix --separator '|' -o lv_name,lv_uuid,lv_size,lv_attr,lv_layout,lv_role,seg_type \
    -o+seg_start,seg_size,stripes,stripe_size,chunk_size,origin,pool_lv,mirror_log,devices,lv_tags vg 2>&1 |
    sed '/Internal error/d'
  echo '== pvs'
  pvs --noheadings --units b --nosuffix --separator '|' -o pv_uuid,pv_size,pe_start,pv_pe_count,pv_pe_alloc_count,pv_mda_count,pv_mda_used_count,pv_tags
  echo '== vgs'
  vgs --noheadings --units b --nosuffix --separator '|' -o vg_name,vg_uuid,vg_seqno,vg_extent_size,vg_extent_count,vg_free_count,pv_count,lv_count,vg_tags vg
  echo '== end'
}
