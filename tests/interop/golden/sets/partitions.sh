# A disk with a partition table (LABEL gpt or dos): ext4 in the first partition, LVM in the last.
. "$GOLDEN/lib.sh"

case $STEP in
  make)
    case $LABEL in
      gpt)
        last=${1}2
        sfdisk -q "$1" <<'TABLE'
label: gpt
label-id: 6d9f3c6a-52c0-4d67-8f0e-3b2f52d1a001
start=2048, size=6144, name="files", type=L, uuid=6d9f3c6a-52c0-4d67-8f0e-3b2f52d1a002
start=8192, size=6144, name="volumes", type=V, uuid=6d9f3c6a-52c0-4d67-8f0e-3b2f52d1a003
TABLE
        ;;
      dos)
        last=${1}6
        sfdisk -q "$1" <<'TABLE'
label: dos
label-id: 0xcafe0001
start=2048, size=6144, type=83
start=8192, size=8192, type=5
start=8256, size=2048, type=83
start=10368, size=6016, type=8e
TABLE
        seq 1 99999 | dd of="$1"5 bs=64k count=2 iflag=fullblock conv=fsync status=none
        ;;
    esac
    ext4 "$1"1 files 0a8f7b60-6e2f-4a3e-8f50-2f0e4f6f7a22
    some_files "$1"1
    pvcreate -q --dataalignment 64k --metadatasize 64k "$last"
    vgcreate -q -s 64k vg2 "$last"
    lvcreate -q -y -Wn -Zn -l 16 -n data vg2
    seq 1 500000 | dd of=/dev/vg2/data bs=64k count=4 iflag=fullblock conv=fsync status=none
    ;;
  read)
    for partition in "$1"[1-9]; do
      # Of an extended partition the kernel shows two sectors only: it is no device to use.
      [ "$(blockdev --getsize64 "$partition")" -le 1024 ] || layer "p${partition#"$1"}" "$partition"
    done
    vgchange -q -ay vg2
    layer vg2/data /dev/vg2/data
    e2fsck -fn "$1"1
    files "$1"1
    ;;
esac
