/** What file systems and swap areas begin with: a name, the byte, and the bytes there. */
const SIGNATURES: readonly (readonly [name: string, at: number, bytes: string])[] = [
  ["an ext2, ext3 or ext4 file system", 1080, "\x53\xef"],
  ["an XFS file system", 0, "XFSB"],
  ["a btrfs file system", 65_600, "_BHRfS_M"],
  ["an F2FS file system", 1024, "\x10\x20\xf5\xf2"],
  ["an NTFS file system", 3, "NTFS    "],
  ["an exFAT file system", 3, "EXFAT   "],
  ["a FAT file system", 54, "FAT1"],
  ["a FAT file system", 82, "FAT32   "],
  ["an ISO 9660 file system", 32_769, "CD001"],
  ["a squashfs file system", 0, "hsqs"],
  ["a swap area", 4086, "SWAPSPACE2"],
  ["a qcow2 image", 0, "QFI\xfb"],
];

/** How many bytes of a device have to be looked at. */
export const SIGNATURE_REACH: number = Math.max(...SIGNATURES.map(([, at, bytes]) => at + bytes.length));

/** What no driver opens, and what would be lost all the same: the name of it, or null. `head`: a device's first bytes. */
export function knownContent(head: Uint8Array): string | null {
  for (const [name, at, bytes] of SIGNATURES) {
    if (at + bytes.length > head.length) continue;
    let isThere = true;
    for (let index = 0; index < bytes.length; index++)
      isThere &&= head[at + index] === bytes.charCodeAt(index);
    if (isThere) return name;
  }
  return null;
}
