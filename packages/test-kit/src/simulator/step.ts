/** What the disks keep of what was not made durable: everything, nothing, of each sector anything, or of each disk all or nothing. */
export type CutPolicy = "all" | "none" | "sectors" | "disks";

/** A request of the work: sectors of 512 bytes. */
export interface PlannedRequest {
  /** Within its step; it stays when others are left out, since the data comes from it. */
  readonly index: number;
  readonly what: "read" | "write" | "zeroes" | "discard" | "flush";
  readonly sector: number;
  readonly count: number;
  readonly isFua: boolean;
  /** In which turn it is cancelled; -1: never. */
  readonly cancelAt: number;
}

/** Something a layer does beside requests: of which kind, which of the layers of that kind, and what. */
export interface PlannedChore {
  readonly kind: string;
  readonly place: number;
  readonly name: string;
}

/** Requests that are under way, since so many turns, when something happens. */
export interface Load {
  readonly requests: readonly PlannedRequest[];
  readonly turns: number;
}

/** What happens next. `index` stays when others are left out: data and order come from it. */
export type Step = { readonly index: number } & (
  | { readonly do: "batch"; readonly requests: readonly PlannedRequest[] }
  | { readonly do: "wait"; readonly ms: number }
  | { readonly do: "reopen" }
  | CutStep
  | (Load & { readonly do: "lose"; readonly disk: number })
  | { readonly do: "mend"; readonly disk: number }
  | {
      readonly do: "badSpot";
      readonly disk: number;
      readonly sector: number;
      readonly count: number;
      readonly isCovered: boolean;
    }
  | {
      readonly do: "fail";
      readonly disk: number;
      readonly skip: number;
      /** What stands on the disk makes up for it: no error is excused by it. */
      readonly isCovered: boolean;
    }
  | { readonly do: "rot"; readonly disk: number; readonly byte: number; readonly bit: number }
  | (Load & { readonly do: "insert" | "remove"; readonly place: number })
  | (Load & { readonly do: "chore"; readonly chore: PlannedChore })
);

/** The power goes. */
export interface CutStep extends Load {
  readonly do: "cut";
  readonly policy: CutPolicy;
  /** It goes as soon as a flush or a write with FUA of this step has succeeded, however many turns that takes. */
  readonly isPrompt: boolean;
  /** It goes again while the stack is being opened: after so many turns, each time. */
  readonly again: readonly number[];
  /** A disk that does not come back; -1: all do. */
  readonly missing: number;
  /** Disks that were lost before are there again, as old as they are. */
  readonly isBack: boolean;
  /** A disk that goes before the power does: so many turns after the requests began. It comes back with the power, out of date, or stays away. */
  readonly losing: { readonly disk: number; readonly turns: number; readonly isBack: boolean } | null;
  /** Under way as well. */
  readonly chore: PlannedChore | null;
}

/** The requests of a step; none where it has none. */
export function requestsOf(step: Step): readonly PlannedRequest[] {
  return "requests" in step ? step.requests : [];
}
