/** What each help text says after the list of options: examples first, then what one has to know. */

export const PROGRAM_HELP = `
Examples:
  $ cev inspect disk*.img                                 what is in these four disks?
  $ cev inspect disk*.img --passphrase-file secret        the same, with the lock opened
  $ cev copy disk*.img --device vg0/root --to root.img --passphrase-file secret
  $ cev serve disk*.img --device vg0/root --socket /tmp/root.sock --passphrase-file secret
  $ cev raid detail disk*.img                             how is the array? (cev raid --help)
  $ cev lvm lvs disk*.img                                 which volumes? (cev lvm --help)
  $ cev crypt luksDump disk0.img                          which keyslots? (cev crypt --help)

A source is any number of image files, block devices and exports of NBD servers
(nbd://HOST/NAME, nbd+unix:///NAME?socket=PATH; nbds for TLS), or one stack file that says how
devices stand on one another:

  devices:
    d0:    { driver: "@cev/hw-file", path: d0.img }
    d1:    { driver: "@cev/hw-file", path: d1.img }
    d2:    { driver: "@cev/hw-file", path: d2.img }
    r5:    { driver: "@cev/raid", members: [d0, d1, d2] }
    plain: { driver: "@cev/crypt", lower: r5, passphrase: { file: ./secret } }
    vg0:   { driver: "@cev/lvm", lowers: [plain] }
  exports:
    root: vg0/root

Names of what is found in images:
  disk0.img  disk0.img/p1  md/<array name or UUID>  luks/<UUID>  <volume group>/<volume>

Exit status: 0 done, 1 failed, 2 called the wrong way.
With CEV_DEBUG=1 in the environment an error is followed by where it was thrown (for authors of layers).
`;

export const INSPECT_HELP = `
Examples:
  $ cev inspect disk0.img disk1.img disk2.img
  $ cev inspect backup/*.img --passphrase-file secret --json | jq '.devices[].name'
  $ cev inspect stack.yaml
  $ cev inspect nbd://north/disk0 'nbds+unix:///disk1?socket=/run/nbd.sock'

Give all the disks of an array or a volume group together. Each passphrase and key is tried
on each lock; a lock that none opens is listed as locked.

Exit status: 0 when all is well (also with locks that no key was given for, and with
degraded arrays), 1 when something is broken: the rest is shown all the same. A file in
which nothing known is found is broken, too. Of a stack file, a layer that nothing
else stands on is made, and not opened: what it refuses only then is told by cev copy --to.

--json prints {"devices":[{"name","driver","size","blockSize","lowers","state","details"}],
"problems":[{"severity","code","message","device"}]}; size and blockSize are bytes, and null
for what is locked. RAID arrays have "array", too, as in cev raid detail --json.
`;

export const COPY_HELP = `
Examples:
  $ cev copy disk*.img --device vg0/root --to root.img
  $ cev copy disk*.img --device md/data --to - | zstd > data.zst
  $ cev copy disk*.img --device vg0/root --to root.img --salvage --json | jq '.lost'
  $ cev copy disk*.img --device vg0/root --from root.img
  $ zstdcat data.zst | cev copy disk*.img --device md/data --from -
  $ cev copy disk*.img --device vg0/root --to 'nbd+unix:///root?socket=/run/nbd.sock'

--to reads the device and writes nothing to the images. A new file gets holes where the
device holds zeroes. --from writes into the device: at most its size, from its beginning,
and flushes at the end; what the input does not reach stays as it is. Both take a URI of NBD
in place of a file; an export that is written has to be as long as the device at least, and
what lies behind the copy stays as it is.

What cannot be read ends a copy, and its target is removed. With --salvage it is zeroes in
the target, the ranges are listed, and the exit status is 1.

--json prints {"device","copied","lost":[{"offset","length"}],"problems":[{"severity","code",
"message","device"}]}, in bytes; standard output is for that alone then.

An array with members missing is read with a warning. Writing to it needs --degraded,
because one more loss would lose what is written. So does going on without an image or a
server that is named and not there; in a stack file such a member counts as missing.

SIGINT or SIGTERM ends it in good order, a second one at once.
`;

export const SERVE_HELP = `
Examples:
  $ cev serve disk*.img --device vg0/root --socket /tmp/root.sock --passphrase-file secret
  $ nbdinfo 'nbd+unix:///?socket=/tmp/root.sock'
  $ nbdcopy 'nbd+unix:///?socket=/tmp/root.sock' root.img
  $ cev serve stack.yaml --listen 127.0.0.1:10809 --read-only

  $ cev serve disk.img --listen [::]:10809 --tls-certificates /etc/pki/nbd --tls-verify-peer
  $ cev serve disk.img --socket /run/d.sock --socket-mode 0660 --socket-owner qemu:disk
  $ nbdfuse mnt/disk --command cev serve disk.img --stdio

Each device is an export of its name; a single one is the default export as well
(--default-export names another). Without --device all devices that nothing else stands on
are served, or the exports of a stack file.

Who may in: NBD has no passwords. Whoever reaches the socket or port reads and writes,
unless TLS keeps them out. Give a folder of PEM files (server-cert.pem, server-key.pem; with
--tls-verify-peer also ca-cert.pem, and ca-crl.pem if there is one), as nbdkit, QEMU and
libnbd have it, or a file of keys that both sides have:
  $ echo "alice:$(openssl rand -hex 32)" > keys.psk; chmod 600 keys.psk
  $ cev serve disk.img --socket d.sock --tls-psk keys.psk
  $ nbdinfo 'nbds+unix://alice@/?socket=d.sock&tls-psk-file=keys.psk'
Certificates without --tls-verify-peer hide what is sent, and let everybody in. --tls
optional lets clients choose not to encrypt.

--socket and --listen go together; sockets that systemd opened (LISTEN_FDS) are listened on,
too. With --stdio one client is served, and cev ends when it leaves. What starts a server in
brackets, as nbdinfo -- [ cev serve disk.img ] does, hands a socket over: without --stdio.

--verbose tells of clients that come and go, with who they are and what they did; --trace of
each request: client, command, offset+length, outcome, time. Both cost next to nothing until
they are asked for.

--control PATH opens a second socket, for cev control: layers are put into the running stack,
taken out and exchanged, requests counted and traced. Its file is for its owner alone (see
cev control --help).

SIGINT or SIGTERM ends it: requests under way are finished, everything is flushed. A second
one ends it at once, and says what was not flushed.
`;

export const SCHEMA_HELP = `
Examples:
  $ cev schema > stack.schema.json
  $ cev schema stack.yaml > stack.schema.json           with the drivers that stack.yaml names
  $ cev schema --driver @cev/raid --markdown            which options are there?
  $ cev schema --driver ./dist/index.js --markdown      a table for the README of your own driver

In the first line of a stack file, for editors with a YAML language server:
  # yaml-language-server: $schema=./stack.schema.json
`;
