/** What the help texts of the commands about volumes say after the list of options. */

export const LVCREATE_HELP = `
Examples:
  $ cev lvm lvcreate -L 10G -n root vg0 --devices d0.img d1.img
  $ cev lvm lvcreate -l 100%FREE -i 2 -I 128k -n fast vg0 d0.img d1.img
  $ cev lvm lvcreate -L 1G -n log vg0 d1.img:0-499 --devices d0.img
  $ cev lvm lvcreate -s -L 500M -n before vg0/root --devices d0.img d1.img

Physical volumes behind the group say where the volume may lie, as for LVM2. They are looked at,
too: where they are all of the group, --devices is not needed.

A snapshot keeps what its origin held, as long as its store has room; write to both through cev
serve. Of LVM2's other types, RAID, mirrors and thin volumes are read and, but for thin ones,
written; LVM2 makes them.
`;

export const LVRESIZE_HELP = `
Examples:
  $ cev lvm lvextend -L +2G vg0/root --devices d0.img d1.img
  $ cev lvm lvextend -l +100%FREE vg0/root --devices d0.img d1.img
  $ cev lvm lvreduce -L 5G --force vg0/root --devices d0.img d1.img

What is in the volume is not resized: make a file system smaller before the volume, and larger
after it. To make a volume smaller needs --force.
`;

export const LVRENAME_HELP = `
Examples:
  $ cev lvm lvrename vg0/root system --devices d0.img d1.img
  $ cev lvm lvrename vg0 root system d0.img d1.img
`;

export const LVREMOVE_HELP = `
Examples:
  $ cev lvm lvremove vg0/root vg0/old --devices d0.img d1.img
  $ cev lvm lvremove vg0/root d0.img d1.img
  $ cev lvm lvremove vg0 --force --devices d0.img d1.img    all of them

The extents are free then. What lay on them stays until something else is written there: cev lvm
vgcfgrestore takes it back until then. An origin is removed with its snapshots: --force.
`;

export const LVCHANGE_HELP = `
Examples:
  $ cev lvm lvchange -p r vg0/root --devices d0.img d1.img
  $ cev lvm lvchange --addtag backup vg0/root vg0/home d0.img d1.img
`;

export const LVCONVERT_HELP = `
Examples:
  $ cev lvm lvconvert --merge vg0/before --devices d0.img d1.img

What the snapshot holds is copied back into its origin, which then is as it was when the snapshot
was taken; the snapshot is gone. A bar shows how far it is. Ended early, the same command goes on.
`;
