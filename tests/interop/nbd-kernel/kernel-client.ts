import { fileURLToPath } from "node:url";
import { runOracle } from "../oracle/run-oracle.ts";
import type { OracleResult } from "../oracle/run-oracle.ts";

const BIN =
  process.env["CEV_BIN"] ??
  fileURLToPath(new URL("src/bin.ts", import.meta.resolve("@cev/cli/package.json")));

/**
 * The server runs inside the kernel as well, which has no network: `serve` and `stop` are its beginning and its end,
 * `$socket` is where it listens.
 */
const FUNCTIONS = `
modprobe nbd max_part=0
socket=$ORACLE_WORK/s
serve() {
  rm -f $socket
  $NODE --conditions=@cev/source --disable-warning=ExperimentalWarning $BIN serve "$@" --socket $socket >>server.log 2>&1 &
  server=$!
  for _ in $(seq 150); do [ -S $socket ] && return; sleep 0.2; done
  cat server.log
  return 1
}
stop() {
  kill $server
  wait $server
}
`;

/**
 * The kernel's own client makes a filesystem, writes a file of `length` bytes and takes it all apart; then the image is judged without
 * any server. Status 0 and `same` as the last line mean that nothing is missing.
 */
export function mountOverNbd(
  work: string,
  { connections, length }: { readonly connections: number; readonly length: number },
): Promise<OracleResult> {
  const script = `${FUNCTIONS}
truncate -s 64M disk
serve disk
nbd-client -unix $socket /dev/nbd0 -N disk -b 512 -C ${connections} 2>&1
mkfs.ext4 -q /dev/nbd0
mount -o discard /dev/nbd0 /mnt
head -c ${length} /dev/urandom >/mnt/file
head -c ${length} /dev/zero >/mnt/gone
sync
rm /mnt/gone
sum=$(sha256sum </mnt/file)
umount /mnt
nbd-client -d /dev/nbd0
stop
e2fsck -fn disk
mount -o loop,ro disk /mnt
[ "$sum" = "$(sha256sum </mnt/file)" ]
echo same
`;
  return runInOracle(script, work);
}

/**
 * The server is killed and started again under a file system that is being written, `kills` times, and the kernel is given a new
 * connection each time: it sends again what the dead one took. Status 0 and `same` as the last line mean that nothing is missing.
 */
export function reconnectOverNbd(work: string, { kills }: { readonly kills: number }): Promise<OracleResult> {
  const script = `${FUNCTIONS}
link() { $NODE --disable-warning=ExperimentalWarning $LINK $1 $socket disk 0; }
truncate -s 64M disk
serve disk
link connect
mkfs.ext4 -q /dev/nbd0
mount /dev/nbd0 /mnt
# Whatever fails for want of a server ends it, and then a sum is missing.
for i in 1 2 3 4 5 6; do
  head -c 2000000 /dev/urandom >/mnt/f$i
  sync -f /mnt
  sha256sum /mnt/f$i >>sums
  sleep 0.2
done >writer.log 2>&1 &
writer=$!
for i in $(seq ${kills}); do
  sleep 0.3
  kill -9 $server
  serve disk
  link reconnect
done
wait $writer
cat writer.log
umount /mnt
nbd-client -d /dev/nbd0
[ $(dmesg | grep -c 'nbd0: reconnected socket') = ${kills} ]
stop
e2fsck -fn disk
mount -o loop,ro disk /mnt
[ $(wc -l <sums) = 6 ]
sha256sum -c sums
echo same
`;
  return runInOracle(script, work);
}

function runInOracle(script: string, work: string): Promise<OracleResult> {
  return runOracle({
    script,
    work,
    env: { NODE: process.execPath, BIN, LINK: fileURLToPath(new URL("kernel-link.ts", import.meta.url)) },
    timeoutMs: 180_000,
  });
}
