/** What the help texts of the commands about headers say after the list of options. */

export const FORMAT_HELP = `
Examples:
  $ cev crypt luksFormat disk.img
  $ cev crypt luksFormat disk.img --make-images 10G --label backup
  $ cev crypt luksFormat -q --type luks1 disk.img key.bin
  $ cev crypt luksFormat --header disk.header disk.img           the header in a file apart
  $ cev crypt luksFormat vg0/home --devices d0.img d1.img        on a logical volume

Makes a new volume key, and a keyslot for the first passphrase; what the device held is lost. What is
recognised on it (an array, a volume group, a file system, another LUKS header) is named before the
question. The defaults are cryptsetup's: luks2, aes-xts-plain64 with 512 bits, argon2id for two
seconds of this machine, data behind 16 MiB. The data itself is not overwritten.
`;

export const DUMP_HELP = `
Examples:
  $ cev crypt luksDump disk.img
  $ cev crypt luksDump disk.img --json | jq '.keyslots'
  $ cev crypt luksDump --dump-json-metadata disk.img
  $ cev crypt luksDump --dump-volume-key --volume-key-file key.bin disk.img

Prints what cryptsetup luksDump prints. It needs no passphrase, except for the volume key: whoever
has that opens the device for ever, whatever passphrases are changed.
`;

export const ISLUKS_HELP = `
Examples:
  $ cev crypt isLuks --type luks2 disk.img && echo yes

Exit status: 0 for a LUKS device, 1 for anything else.
`;

export const UUID_HELP = `
Examples:
  $ cev crypt luksUUID disk.img
  $ cev crypt luksUUID disk.img --uuid "$(uuidgen)"
`;

export const CONFIG_HELP = `
Examples:
  $ cev crypt config disk.img --label backup --subsystem ""
  $ cev crypt config disk.img --priority prefer --key-slot 1
  $ cev crypt config disk.img --flags allow-discards

Only luks2 headers have these. A keyslot that is to be ignored is tried only when it is named.
`;

export const CONVERT_HELP = `
Examples:
  $ cev crypt luksHeaderBackup disk.img --header-backup-file disk.header
  $ cev crypt convert disk.img --type luks2

The data stays where and as it is. To luks1 only headers can go that use nothing luks1 has not:
pbkdf2 with one hash in all keyslots, numbers below 8, no tokens, labels or unbound keys, sectors of
512 bytes.
`;

export const REPAIR_HELP = `
Examples:
  $ cev crypt luksHeaderBackup disk.img --header-backup-file disk.header
  $ cev crypt repair disk.img

A luks2 header is there twice: a copy that is damaged or out of date is written anew from the other.
In a luks1 header free keyslots are put right. Keyslots in use are never touched: what is lost there
only a backup has.
`;

export const BACKUP_HELP = `
Examples:
  $ cev crypt luksHeaderBackup disk.img --header-backup-file disk.header

The file holds the header and all keyslots, as cryptsetup writes it. Whoever has it and a passphrase
of that time opens the device, also after the passphrase was changed.
`;

export const RESTORE_HELP = `
Examples:
  $ cev crypt luksHeaderRestore disk.img --header-backup-file disk.header

All keyslots become those of the backup, with the passphrases of that time. A backup of the same
version whose key has another size, or whose data begins elsewhere, is refused; where the version
itself is another one, the question says what differs.
`;

export const TOKEN_HELP = `
Examples:
  $ cev crypt token add disk.img --key-description backup --key-slot 1
  $ cev crypt token import disk.img --json-file token.json
  $ cev crypt token export disk.img --token-id 0
  $ cev crypt token remove disk.img --token-id 0

Tokens say where others find a passphrase (only luks2 headers have them). They are kept and changed
here, and not used.
`;

export const BENCHMARK_HELP = `
Examples:
  $ cev crypt benchmark
  $ cev crypt benchmark --cipher aes-xts-plain64 --key-size 512
  $ cev crypt benchmark --pbkdf argon2id --iter-time 1000

It measures in memory alone, with the code that reads and writes devices here.
`;
