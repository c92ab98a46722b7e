/** What the help texts of the commands about groups say after the list of options. */

export const VGCREATE_HELP = `
Examples:
  $ cev lvm vgcreate vg0 d0.img d1.img
  $ cev lvm vgcreate vg0 --make-images 10G d0.img d1.img d2.img
  $ cev lvm vgcreate -s 16m --addtag backup vg0 sda.img/p2 sdb.img/p2 --dry-run

Devices that are no physical volumes yet become such, with LVM2's defaults. One that carries
anything known is refused unless --force is given. Sizes count MiB where no unit is given:
b s k m g t p e.
`;

export const VGEXTEND_HELP = `
Examples:
  $ cev lvm vgextend vg0 d2.img --devices d0.img d1.img
  $ cev lvm vgextend --restoremissing vg0 d1.img --devices d0.img

--restoremissing is for physical volumes that were away while the group was changed: what they
hold is taken for up to date.
`;

export const VGREDUCE_HELP = `
Examples:
  $ cev lvm vgreduce vg0 d2.img --devices d0.img d1.img
  $ cev lvm vgreduce --removemissing vg0 d0.img d1.img
  $ cev lvm vgreduce --removemissing --force vg0 d0.img d1.img    with what lay on them

--removemissing without --force is refused where volumes lie on what is missing: it names them.
`;

export const VGREMOVE_HELP = `
Examples:
  $ cev lvm vgremove vg0 d0.img d1.img
  $ cev lvm vgremove --force vg0 d0.img d1.img              with its volumes

The physical volumes stay, of no group. The text is saved before: cev lvm vgcfgrestore brings the
group back as long as nothing else was written.
`;

export const VGRENAME_HELP = `
Examples:
  $ cev lvm vgrename vg0 vg1 d0.img d1.img
  $ cev lvm vgrename UUID vg1 --devices d0.img d1.img       one of two groups of one name
`;

export const VGCHANGE_HELP = `
Examples:
  $ cev lvm vgchange --addtag backup vg0 d0.img d1.img
  $ cev lvm vgchange --alloc cling vg0 --devices d0.img d1.img
  $ cev lvm vgchange -u vg0 d0.img d1.img
`;

export const VGIMPORTCLONE_HELP = `
Examples:
  $ cp d0.img c0.img; cp d1.img c1.img
  $ cev lvm vgimportclone -n vg0copy c0.img c1.img

A copy of a group has the same UUIDs and the same name, so that the two cannot be told apart.
This gives the copy new ones, for the group and for its physical volumes. The original need not
be named, and is not touched. To read a copy, it is enough to open it by itself.
`;

export const VGEXPORT_HELP = `
Examples:
  $ cev lvm vgexport vg0 d0.img d1.img
  $ cev lvm vgimport vg0 d0.img d1.img

A group that is exported is neither changed nor written until it is imported.
`;

export const VGCFGBACKUP_HELP = `
Examples:
  $ cev lvm vgcfgbackup -f vg0.vg vg0 d0.img d1.img
  $ cev lvm vgcfgbackup -f 'backup/%s.vg' --devices *.img

Files are LVM2's own: its vgcfgrestore takes them, and cev takes those of LVM2. Without --file
they go to $XDG_STATE_HOME/cev/lvm/backup (~/.local/state/cev/lvm/backup).
`;

export const VGCFGRESTORE_HELP = `
Examples:
  $ cev lvm vgcfgrestore --list vg0
  $ cev lvm vgcfgrestore -f ~/.local/state/cev/lvm/archive/vg0_00004-118237645.vg vg0 d0.img d1.img
  $ cev lvm vgcfgrestore -f /etc/lvm/archive/vg0_00012-1934.vg vg0 --devices d*.img --dry-run

Each command that changes a group saves the text before it, to the folder of --archive or
$XDG_STATE_HOME/cev/lvm/archive (~/.local/state/cev/lvm/archive), and says where; -A n keeps
nothing. The text after each change goes to the folder backup beside: what vgcfgrestore takes
where no file is named. Restoring one takes back which extents belong to what; what was written to them since
stays written. All physical volumes of the text have to be there: cev lvm pvcreate --uuid makes
one in place of one that is lost.
`;

export const VGCK_HELP = `
Examples:
  $ cev lvm vgck vg0 d0.img d1.img
  $ cev lvm vgck --devices *.img --json
  $ cev lvm vgck --updatemetadata vg0 d0.img d1.img

Every fault is named: damaged or outdated copies of the metadata, what is missing, volumes that
do not hold together. Exit status: 1 where there is one.
`;
