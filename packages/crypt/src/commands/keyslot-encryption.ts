const ENCRYPTION_DEFAULT = "aes-xts-plain64";

/**
 * How a LUKS2 keyslot is encrypted unless it is said: as the data, except where that is written in the kernel's own notation ("capi:xts(aes)-plain64"),
 * which `cryptsetup` takes for data alone.
 */
export function keyslotEncryptionFor(encryption: string): string {
  return encryption.startsWith("capi:") ? ENCRYPTION_DEFAULT : encryption;
}
