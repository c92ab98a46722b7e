/** What the help texts of the commands that only look say after the list of options. */

export const RAID_HELP = `
Examples:
  $ cev raid examine d*.img                     what does each disk know of its array?
  $ cev raid detail d*.img                      how is the array?
  $ cev raid create data --level 5 --make-images 1G d0.img d1.img d2.img
  $ cev raid assemble d*.img                    bring it in order: resync, rebuild onto spares
  $ cev raid assemble d*.img --socket nbd.sock --control md.sock
  $ cev raid check --array md.sock              the same commands on an array that is served

The members of an array are named on the command line: nothing runs in the background, and
nothing is remembered between two calls but what the superblocks say. Each command opens the
array from its members, does its work while a bar shows how far it is, and closes the array
clean. What mdadm does to a running /dev/md0 is done here to the members, or, with --array,
to an array that cev raid assemble serves.

  mdadm --create /dev/md0 ...             cev raid create NAME ... MEMBER...
  mdadm --examine MEMBER...               cev raid examine MEMBER...
  mdadm --detail /dev/md0                 cev raid detail MEMBER...
  mdadm --assemble /dev/md0 MEMBER...     cev raid assemble MEMBER... [--socket PATH]
  mdadm /dev/md0 --add NEW                cev raid add MEMBER... --device NEW
  mdadm /dev/md0 --fail X --remove X      cev raid fail, cev raid remove
  echo check > md/sync_action             cev raid check MEMBER...
  mdadm --grow /dev/md0 --size=max        cev raid grow MEMBER... --size max
  mdadm --stop /dev/md0                   cev raid stop MEMBER...

Exit status: 0 done, 1 failed (cev raid check: something did not match), 2 called the wrong way.
`;

export const EXAMINE_HELP = `
Examples:
  $ cev raid examine d0.img d1.img
  $ cev raid examine disk.img                   also its partitions, if it has any
  $ cev raid examine d0.img --bitmap            mdadm --examine-bitmap
  $ cev raid examine d0.img --bad-blocks        mdadm --examine-badblocks
  $ cev raid examine d*.img --json | jq '.members[] | {device, role, events}'

Each member is looked at by itself: it says what its array was when this member was last
written. Members whose event counts differ were not in the array together to the end: the
one with fewer events is stale. "Array State" has a letter for each place: A there, . gone.

Superblocks of version 0.90, 1.0, 1.1 and 1.2 are known.

Exit status: 0, or 1 when a member cannot be read or has no superblock.
`;

export const DETAIL_HELP = `
Examples:
  $ cev raid detail d0.img d1.img d2.img
  $ cev raid detail d*.img --brief              mdadm --detail --brief
  $ cev raid detail d*.img --stack > r5.yaml    a stack file, for cev serve and cev copy
  $ cev raid detail --array md.sock             an array that cev raid assemble serves

The array is put together as cev raid assemble would, and not one byte is written. Members
that are stale, failed, or belong elsewhere are listed as left out, with the reason.
--force (also in what --stack prints) is for an array that lacks members and was not shut
down cleanly: it is read all the same, and what was written last may read wrong.

Exit status: 0, also for a degraded array; 1 when there are too few members to open it
(cev raid examine shows each by itself).
`;
