# Groups of every segment type: the shape SHAPE of the LVM2 matrix.
. "$GOLDEN/lib.sh"
. "$GOLDEN/../lvm-matrix/groups.sh"
only "$@"

case $STEP in
  make)
    # Bytes that differ from sector to sector, and still take little room when they are packed.
    awk 'BEGIN { for (i = 0; i < 49152; i++) printf "%-511s\n", "sector " i }' >content
    "shape_$SHAPE" "$@"
    hashes >hashes
    [ -s hashes ]
    lvs -a --noheadings -o lv_name vg
    listing >listing
    vgchange -q -an vg
    ;;
  read)
    # What is read after the volumes have been activated anew; a merge goes to its end first.
    vgchange -q -ay -K --activationmode degraded vg
    vgchange -q --poll y vg
    hashes >again
    while read -r _ name size hash; do
      grep -q "^volume $name $size $hash\$" again
      printf 'layer\t%s\t%s\t%s\n' "vg/$name" "$size" "$hash" >>facts
    done <hashes
    fact vg.uuid "$(vgs --noheadings -o uuid vg | tr -d ' ')"
    row=0
    sed -n '/^== lvs/,/^== pvs/p' listing | grep '|' | while read -r line; do
      fact "lvs.$row" "$line"
      row=$((row + 1))
    done
    ;;
esac
