import type { ArrayDetail, SyncDetail } from "./array-detail.ts";

/** What is to be done with an array that is open, here or behind a control socket. Plain data. */
export type ArrayRequest = Waiting &
  (
    | { readonly command: "detail" }
    | { readonly command: "add"; readonly devices: readonly string[]; readonly isForced: boolean }
    | { readonly command: "fail" | "remove"; readonly devices: readonly string[] }
    | { readonly command: "rebuild" | "check" | "repair" | "stop" }
    | {
        readonly command: "grow";
        readonly size: number | "max" | null;
        readonly memberCount: number | null;
        readonly isForced: boolean;
      }
  );

interface Waiting {
  /** The answer comes when nothing goes on in the background any more. */
  readonly isWaiting: boolean;
  /** For whatever goes on in the background, in KiB per second; null: as it is. */
  readonly speedLimitKiB: number | null;
}

/** What came of it. */
export interface ArrayAnswer {
  /** For people, in whole sentences. */
  readonly lines: readonly string[];
  readonly array: ArrayDetail;
}

/** Told how far the work in the background is. */
export type OnSync = (sync: SyncDetail) => void;
