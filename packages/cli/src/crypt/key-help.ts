/** What the help texts of the commands about keys say after the list of options. */

export const OPEN_HELP = `
Examples:
  $ cev crypt open --test-passphrase disk.img
  $ cev crypt open --test-passphrase --key-file key.bin --key-slot 1 disk.img
  $ cev serve disk.img --socket disk.sock                   the plaintext as a device
  $ cev copy disk.img --device luks/UUID --to plain.img     the plaintext as a file

Exit status: 0 when the passphrase opens a keyslot, 1 when it does not. With -v it says which keyslot.
`;

export const ADDKEY_HELP = `
Examples:
  $ cev crypt luksAddKey disk.img
  $ cev crypt luksAddKey disk.img new.bin --key-file old.bin
  $ cev crypt luksAddKey disk.img --new-key-slot 5 --pbkdf-memory 65536
  $ printf 'old\\nnew\\n' | cev crypt luksAddKey disk.img

A passphrase that opens the device already is asked for first, then the new one.
`;

export const CHANGEKEY_HELP = `
Examples:
  $ cev crypt luksChangeKey disk.img
  $ cev crypt luksChangeKey disk.img --key-slot 0 --key-file old.bin --new-keyfile new.bin

The new keyslot is written before the old one is overwritten, so that one of them always opens.
`;

export const CONVERTKEY_HELP = `
Examples:
  $ cev crypt luksConvertKey disk.img --pbkdf argon2id

The passphrase stays; how it becomes a key changes. Only luks2 headers have keyslots that differ in that.
`;

export const REMOVEKEY_HELP = `
Examples:
  $ cev crypt luksRemoveKey disk.img
  $ cev crypt luksRemoveKey disk.img --key-file old.bin

The keyslot that the passphrase opens is overwritten. Before the last one is, it asks.
`;

export const KILLSLOT_HELP = `
Examples:
  $ cev crypt luksKillSlot disk.img 1
  $ cev crypt luksKillSlot -q disk.img 1                    without a passphrase

A passphrase that remains has to be given, so that nobody is shut out by mistake; with --batch-mode
only where one is given.
`;

export const ERASE_HELP = `
Examples:
  $ cev crypt erase disk.img

All keyslots are overwritten; no passphrase is needed. The data stays, and nobody can read it again,
unless there is a backup of the header.
`;
