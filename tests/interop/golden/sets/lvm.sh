# Two physical volumes with small metadata areas, in which the text was written so often that it has wrapped,
# and now lies partly at the end of the ring and partly at its start, on both.
. "$GOLDEN/lib.sh"

number() { od -An -tu8 -j "$2" -N 8 "$1" | tr -d ' '; }

# The area's header is at 4096; its size is at 32 in it, and the text's offset and size at 40 and 48.
straddles() {
  blockdev --flushbufs "$1"
  [ $(($(number "$1" 4136) + $(number "$1" 4144))) -gt "$(number "$1" 4128)" ]
}

case $STEP in
  make)
    pvcreate -q --metadatasize 16k --dataalignment 64k "$@"
    vgcreate -q -s 64k vg1 "$@"
    lvcreate -q -y -Wn -Zn -l 20 -n linear vg1 "$1"
    lvcreate -q -y -Wn -Zn -l 10 -n between vg1 "$1"
    lvextend -q -l +15 vg1/linear "$2"
    lvextend -q -l +5 vg1/linear "$1"
    lvcreate -q -y -Wn -Zn -l 1 -n name0 vg1 "$2"
    name=0
    until straddles "$1" && [ $name -gt 12 ]; do
      lvrename -q vg1 name$name name$((name + 1))
      name=$((name + 1))
    done
    seq 1 500000 | dd of=/dev/vg1/linear bs=64k count=40 iflag=fullblock conv=fsync status=none
    seq 7 500000 | dd of=/dev/vg1/between bs=64k count=10 iflag=fullblock conv=fsync status=none
    ;;
  read)
    vgchange -q -ay vg1
    fact vg.uuid "$(vgs --noheadings -o uuid vg1 | tr -d ' ')"
    fact vg.seqno "$(vgs --noheadings -o seqno vg1 | tr -d ' ')"
    fact mda.textOffset "$(number "$1" 4136)"
    fact mda.textSize "$(number "$1" 4144)"
    fact mda.size "$(number "$1" 4128)"
    for volume in $(lvs --noheadings -o lv_name vg1); do
      layer "vg1/$volume" "/dev/vg1/$volume"
    done
    ;;
esac
