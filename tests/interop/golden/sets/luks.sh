# LUKS alone on one disk, ext4 in it. OPTIONS go to luksFormat.
. "$GOLDEN/lib.sh"

case $STEP in
  make)
    luks_format "$1" --key-size 256 $OPTIONS
    # LUKS1 fills the seven keyslots that stay unused with random bytes, which would only take room here.
    case $OPTIONS in *luks1*) dd if=/dev/zero of="$1" bs=512 seek=264 count=3832 conv=notrunc,fsync status=none ;; esac
    cryptsetup open --key-file /run/passphrase "$1" plain
    ext4 /dev/mapper/plain secret 9b1c7b60-6e2f-4a3e-8f50-2f0e4f6f7a11
    some_files /dev/mapper/plain
    ;;
  read)
    cryptsetup open --readonly --key-file /run/passphrase "$1" plain
    fact luks.uuid "$(cryptsetup luksUUID "$1")"
    layer luks /dev/mapper/plain
    e2fsck -fn /dev/mapper/plain
    files /dev/mapper/plain
    ;;
esac
