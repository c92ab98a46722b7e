/** Bytes of one member's data, from `start` to `end`, that are discarded or zeroed by one request. */
export interface MemberRun {
  readonly member: number;
  readonly start: number;
  readonly end: number;
}
