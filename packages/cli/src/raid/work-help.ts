/** What the help texts of the commands that write say after the list of options. */

export const CREATE_HELP = `
Examples:
  $ cev raid create data --level 5 d0.img d1.img d2.img
  $ cev raid create data --level 6 --make-images 1G d0.img d1.img d2.img d3.img
  $ cev raid create data --level 10 --layout f2 --chunk 64K d0.img d1.img missing
  $ cev raid create data --level 1 --spare-devices 1 d0.img d1.img d2.img --dry-run

mdadm --create /dev/md0 --level=5 --raid-devices=3 d0 d1 d2, with its defaults: superblock
1.2, chunks of 512K, data offset, layout. The first devices named are the members, in their
order, the last ones the spares. "missing" leaves a place empty, to be filled later with
cev raid add. Sizes without a unit count KiB.

A device that carries anything known (an array, a lock, a volume group, a partition table)
is refused unless --force is given. Image files that are not there are made, sparse, with
--make-images SIZE. --dry-run says what would be written where, and writes nothing.

A new array is not in sync yet: cev raid assemble makes its redundancy right. When all
images are new, they hold zeroes and are in sync as they are; --assume-clean says the same
of devices that nobody but you knows.
`;

export const ASSEMBLE_HELP = `
Examples:
  $ cev raid assemble d0.img d1.img d2.img
  $ cev raid assemble d*.img --run                    a member is gone for good
  $ cev raid assemble d*.img --socket md.sock    and serve it over NBD
  $ cev raid detail --array md.sock              how is it? (add, fail, check… as well)
  $ cev raid stop --array md.sock

Puts the array together as mdadm --assemble does, in whatever order the members are named,
and brings it in order: after an unclean stop its redundancy is made right, spares take the
place of what is missing and are rebuilt, and what was under way goes on where it stopped.
A bar shows how far it is; then the array is closed clean. Ctrl-C stops in good order, and
how far it came is kept.

With --socket or --listen the array is an NBD export until a signal or cev raid stop ends
it, and work goes on beside the requests. NBD has no passwords: whoever reaches the address
reads and writes. A control socket, for you alone (mode 0600), stands beside: PATH.control.

--run starts an array although members are not there that took part when it was last used.
--force believes an array that is degraded and was not shut down cleanly, and members that
fell behind, where it cannot start without them: what was written last may read wrong.
`;

export const ADD_HELP = `
Examples:
  $ cev raid add d0.img d2.img --device new.img
  $ cev raid add --array md.sock --device new.img --no-wait

mdadm /dev/md0 --add new: the device becomes a spare, and where a place is empty it is
rebuilt there; a bar shows how far it is. A device that was a member before is re-added
where a bitmap says what it missed: then only that is copied. What carries something else
is refused unless --force is given. A partition is named by its image: --device sda.img/p2.
Several devices: --device once for each.
`;

export const FAIL_HELP = `
Examples:
  $ cev raid fail d0.img d1.img d2.img --device d1.img
  $ cev raid fail --array md.sock --device d1.img

mdadm /dev/md0 --fail d1: the member takes no further part, and the superblocks of the
others say so. A spare takes its place. Refused where the array cannot do without it.
`;

export const REMOVE_HELP = `
Examples:
  $ cev raid remove d0.img d1.img s.img --device s.img
  $ cev raid remove --array md.sock --device d1.img

mdadm /dev/md0 --remove d1: takes out a spare, or a member that has failed; fail one first
that still takes part. A member that failed is left out by itself when the array is opened
the next time.
`;

export const REBUILD_HELP = `
Examples:
  $ cev raid rebuild d0.img d1.img spare.img
  $ cev raid rebuild d*.img --speed-limit 50M

Rebuilds what is missing onto spares, and goes on with what was under way. A bar shows how
far it is; Ctrl-C stops in good order, and the next call goes on there. Without a spare add
one: cev raid add MEMBER... --device NEW.
`;

export const CHECK_HELP = `
Examples:
  $ cev raid check d0.img d1.img d2.img
  $ cev raid check --array md.sock --json | jq .array.mismatchCount

echo check > /sys/block/md0/md/sync_action: reads everything, compares copies or parity, and
changes nothing; what cannot be read is made good from the others. Counts sectors that did
not match, as mismatch_cnt does.

Exit status: 0 all of it matches, 1 something does not: cev raid repair makes it right.
`;

export const REPAIR_HELP = `
Examples:
  $ cev raid repair d0.img d1.img d2.img

echo repair > /sys/block/md0/md/sync_action: as cev raid check, and what does not match is
made to: parity is computed anew from the data, and of several copies the first one counts.

Exit status: 0 when all of it matches afterwards.
`;

export const GROW_HELP = `
Examples:
  $ cev raid grow d*.img --size max                the members have become larger
  $ cev raid grow d*.img --size 2G                 of each member
  $ cev raid grow m0.img m1.img s.img --raid-devices 3   a mirror of three

mdadm --grow /dev/md0 --size=max or --raid-devices=3. --size is what each member gives to the
array. --raid-devices is for RAID1, where spares fill the new places; without spares for all
of them it wants --force. What stands on the
array (a lock, a volume group, a file system) is told of its new size with its own tools.
`;

export const STOP_HELP = `
Examples:
  $ cev raid stop --array md.sock
  $ cev raid stop d0.img d1.img d2.img

mdadm --stop /dev/md0: a served array is flushed, marked clean, and its server ends. Named by
its members, an array that was left dirty is made clean: its redundancy is made right first.
`;
