/** How much one connection may keep busy. */
export interface TransmissionLimits {
  /** Requests under way, up to the last byte of their reply. */
  readonly requestsMax: number;
  /** Bytes of memory that these requests hold; one request is always let in. */
  readonly bytesMax: number;
  /** Bytes that wait for the client to read them. */
  readonly unsentMax: number;
}
