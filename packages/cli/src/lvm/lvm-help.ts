/** What `cev lvm --help` says after the list of commands. */
export const LVM_HELP = `
Examples:
  $ cev lvm lvs d0.img d1.img                               what is in there?
  $ cev lvm vgcreate vg0 d0.img d1.img
  $ cev lvm lvcreate -L 1G -n root vg0 --devices d0.img d1.img
  $ cev serve d0.img d1.img --device vg0/root --socket root.sock
  $ cev lvm vgck vg0 --devices d0.img d1.img

Command lines are those of LVM2, with its options, units and defaults. Where LVM2 looks at all
disks of the machine, cev looks at those that are named: with --devices, and as physical volumes
on the command line. Name all disks of a group; those that are not named are missing. Partitions,
md arrays and LUKS on them are found (--passphrase-file), also when the images are whole disks.

In place of --devices the images may stand behind the names of groups and volumes, where these
can be told apart: cev lvm lvremove vg0/root d0.img d1.img.

Nothing is active, and nothing runs in the background: each command opens the disks, changes the
group as LVM2 would, by its commit protocol, and closes them. -t or --dry-run does all but the
writing. The text that a change replaces is saved, see cev lvm vgcfgrestore --help.

What is in a volume: cev serve, cev copy, cev inspect.
`;
