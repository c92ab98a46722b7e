# What the scripts of the golden sets share; they run inside the kernel, in the set's work folder.
# Each script makes its images when STEP is "make", and describes them, in a second kernel that may
# write nothing, when STEP is "read".
set -e
export LVM_SUPPRESS_FD_WARNINGS=1

printf %s "$PASSPHRASE" >/run/passphrase
printf %s "${SECOND_PASSPHRASE-}" >/run/second-passphrase

# fact NAME VALUE: becomes one of the manifest's facts.
fact() { printf 'fact\t%s\t%s\n' "$1" "$2" >>facts; }

# layer NAME DEVICE: records the size and the hash of all that the device holds.
layer() {
  printf 'layer\t%s\t%s\t%s\n' "$1" "$(blockdev --getsize64 "$2")" "$(sha256sum <"$2" | cut -d' ' -f1)" >>facts
}

# files DEVICE: records every regular file of the file system on the device.
files() {
  mount -o ro,noload "$1" /mnt
  (cd /mnt && find . -type f | sort) | while read -r file; do
    printf 'file\t%s\t%s\t%s\n' "${file#.}" "$(stat -c %s "/mnt/$file")" "$(sha256sum <"/mnt/$file" | cut -d' ' -f1)"
  done >>facts
  umount /mnt
}

# ext4 DEVICE LABEL UUID: a small file system that leaves untouched what it need not write. A journal
# takes 1,024 blocks at least: too many where the blocks are larger.
ext4() {
  if [ "$(blockdev --getss "$1")" = 512 ]; then layout='-b 1024 -J size=1'; else layout='-O ^has_journal'; fi
  mkfs.ext4 -q $layout -N 64 -E lazy_itable_init=1,lazy_journal_init=1 -L "$2" -U "$3" "$1"
}

# some_files DEVICE: a text, a file in nested directories, an empty one, and 100 KB of no pattern.
some_files() {
  mount -o noinit_itable "$1" /mnt
  echo 'Hello from the kernel.' >/mnt/hello.txt
  mkdir -p /mnt/docs/deep/deeper
  seq 1 500 >/mnt/docs/deep/deeper/numbers.txt
  : >/mnt/empty
  ln -s docs/deep/deeper/numbers.txt /mnt/link
  cp "$ORACLE_WORK/binary.bin" /mnt/binary.bin
  umount /mnt
}

# idle MD: waits until the array has nothing left to rebuild.
idle() {
  while [ "$(cat "/sys/block/$1/md/sync_action")" != idle ] || [ "$(cat "/sys/block/$1/md/degraded")" != "${2-0}" ]; do
    sleep 0.1
  done
}

luks_pbkdf() {
  case "$*" in *--pbkdf*) ;; *) echo --pbkdf-memory 1024 --pbkdf-parallel 2 --pbkdf-force-iterations 4 ;; esac
}

# luks_format DEVICE [OPTION...]: the type is among the options.
luks_format() {
  device=$1
  shift
  cryptsetup -q luksFormat $(luks_pbkdf "$@") \
    --cipher aes-xts-plain64 "$@" "$device" /run/passphrase
}

[ "$STEP" = make ] || fact kernel "Linux $(uname -r)"
