# The main set: md RAID5, LUKS2, LVM2, ext4.
. "$GOLDEN/lib.sh"

case $STEP in
  make)
    mdadm --create /dev/md0 --run --level=5 --raid-devices=4 --chunk=64 --bitmap=internal --name=stack \
      --uuid=c0ffee00:11223344:55667788:99aabbcc "$@"
    idle md0
    luks_format /dev/md0 --type luks2 --key-size 512 --sector-size 512 --luks2-keyslots-size 512k --offset 8192 \
      --uuid 1d0c5a2e-7f5b-4c1e-9d3a-6b8f0e2a4c61 --label golden
    cryptsetup -q luksAddKey --key-file /run/passphrase --pbkdf pbkdf2 --pbkdf-force-iterations 1000 \
      /dev/md0 /run/second-passphrase
    cryptsetup open --key-file /run/passphrase /dev/md0 plain
    pvcreate -q /dev/mapper/plain
    vgcreate -q -s 1m vg0 /dev/mapper/plain
    lvcreate -q -y -Wn -Zn -l 8 -n root vg0
    lvcreate -q -y -Wn -Zn -l 8 -n other vg0
    lvextend -q -l +8 vg0/root
    ext4 /dev/vg0/root golden 5e3a9a54-0b1c-4f8e-8c6e-3f9f3d6f1a77
    some_files /dev/vg0/root
    ;;
  read)
    mdadm --assemble --readonly /dev/md0 "$@"
    fact array.uuid c0ffee00:11223344:55667788:99aabbcc
    fact array.name oracle:stack
    layer md /dev/md0
    cryptsetup open --readonly --key-file /run/passphrase /dev/md0 plain
    fact luks.uuid "$(cryptsetup luksUUID /dev/md0)"
    layer luks /dev/mapper/plain
    vgchange -q -ay vg0
    fact vg.uuid "$(vgs --noheadings -o uuid vg0 | tr -d ' ')"
    fact pv.uuid "$(pvs --noheadings -o uuid /dev/mapper/plain | tr -d ' ')"
    layer vg0/other /dev/vg0/other
    layer vg0/root /dev/vg0/root
    e2fsck -fn /dev/vg0/root
    files /dev/vg0/root
    ;;
esac
