/** What `cev crypt --help` says after the list of commands. */
export const CRYPT_HELP = `
Examples:
  $ cev crypt luksFormat disk.img --make-images 1G
  $ cev crypt luksDump disk.img
  $ cev crypt luksAddKey disk.img
  $ cev crypt luksHeaderBackup disk.img --header-backup-file disk.header
  $ cev crypt open --test-passphrase disk.img
  $ cev serve disk.img --socket disk.sock                   the plaintext, as a device

Command lines are those of cryptsetup, with its options, units and defaults; LUKS1 and LUKS2 alike.
A device is an image file or block device, a partition in one (disk.img/p2), or with --devices
whatever is found in images (md/data, vg0/root): cev crypt luksDump vg0/home --devices d0.img d1.img

Passphrases are typed at a prompt without echo, twice where one is set; or they come from standard
input, where that is no terminal: a line for each, in the order of the prompts. --key-file FILE is a
key byte for byte (- is all of standard input, /dev/fd/3 a descriptor), --passphrase-file FILE one
without its last newline. No secret is taken from the command line.

What is destroyed is named, and asked for first; without a terminal that needs --batch-mode (-q).
A header that asks for very much work is refused before it is done: see --kdf-memory-max.

Exit status: 0 done, 1 failed (also a wrong passphrase, and isLuks for what is none), 2 called the
wrong way.
`;
