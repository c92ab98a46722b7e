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
  return runOracle({
    script,
    work,
    env: { NODE: process.execPath, BIN },
    timeoutMs: 180_000,
  });
}
