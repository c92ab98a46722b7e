/** What the help texts of the commands about physical volumes say after the list of options. */

export const PVCREATE_HELP = `
Examples:
  $ cev lvm pvcreate d0.img d1.img
  $ cev lvm pvcreate --make-images 10G d0.img d1.img
  $ cev lvm pvcreate sda.img/p2 --metadatasize 4m --dry-run
  $ cev lvm pvcreate --uuid UUID --restorefile vg0.vg new.img    in place of one that is lost

A device that carries anything known (an array, a lock, a file system, a partition table) is
refused unless --force is given; then its first and its last MiB are wiped. vgcreate and
vgextend make physical volumes by themselves.
`;

export const PVREMOVE_HELP = `
Examples:
  $ cev lvm pvremove d1.img

Takes the label off, so that it is no physical volume any more. One that belongs to a group is
refused: cev lvm vgreduce takes it out first.
`;

export const PVRESIZE_HELP = `
Examples:
  $ truncate -s 20G d1.img; cev lvm pvresize d1.img --devices d0.img
  $ cev lvm pvresize d1.img --setphysicalvolumesize 8g --devices d0.img

A physical volume shrinks only where no volume lies: nothing is moved.
`;

export const PVCHANGE_HELP = `
Examples:
  $ cev lvm pvchange -x n d1.img --devices d0.img           no new extents there
  $ cev lvm pvchange --addtag ssd d1.img --devices d0.img
`;

export const PVCK_HELP = `
Examples:
  $ cev lvm pvck d0.img d1.img
  $ cev lvm pvck --dump headers d0.img                      field by field, with their bytes
  $ cev lvm pvck --dump metadata d0.img                     the text in force
  $ cev lvm pvck --dump metadata_area d0.img                all that is readable, older texts too

Exit status: 1 where something is damaged.
`;
