import type { AbortSignalLike } from "./cancel-scope.ts";
import type { Device } from "./device.ts";
import type { Environment } from "./environment.ts";
import type { Json, Layer } from "./layer.ts";

/**
 * The part of the Standard Schema interface (version 1) that is used: any validator that follows it fits. One that follows Standard JSON
 * Schema as well can say what it accepts.
 */
export interface StandardSchema<Output = unknown> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult<Output> | Promise<StandardResult<Output>>;
    readonly jsonSchema?: {
      /** A JSON Schema of what is handed in. Throws for a target, or for values, that it cannot put so. */
      readonly input: (options: { readonly target: "draft-2020-12" }) => { readonly [key: string]: unknown };
    };
  };
}

export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
      }[];
    };

/** Plain facts about something found or opened, for people and `--json`. */
export type Details = { readonly [key: string]: Json };

/** Something that is not as it should be, but does not stop the work. */
export interface Problem {
  readonly severity: "warning" | "error";
  /** The code of the matching error, such as "CEV_DEGRADED". */
  readonly code: string;
  /** One line: what, where, what to do next. */
  readonly message: string;
  /** The device it is about, as named in the stack. */
  readonly device?: string;
}

/** A driver's answer to "does this device carry my format?". */
export interface Finding {
  /** In a few words: "md active device 1 of raid5 array data (4 devices)". */
  readonly summary: string;
  /** Devices with equal groups belong together and are opened together (members of an array, of a volume group); null: alone. */
  readonly group: string | null;
  /**
   * Groups that belong to this one too: a physical volume without metadata cannot know its volume group, and has a group of
   * its own, which the others of the volume group name here.
   */
  readonly members?: readonly string[];
  readonly details: Details;
  /** It is known, and cannot be opened: why, as a problem that is reported. Nobody tries to open it. */
  readonly closed?: Problem;
}

/** Secrets, in the order they are to be tried. Never put into errors or descriptions. */
export interface KeySource {
  /** Passphrases and key files alike: the bytes that unlock. The caller wipes nothing of them before the stack has been opened. */
  readonly keys: readonly Uint8Array[];
  /** Those of `keys` that are the contents of key files: some formats treat the two in different ways. */
  readonly keyFiles?: readonly Uint8Array[];
  /**
   * Asks a person, where there is one: for a lock that no key was given for. Null: there is no answer. Whoever asks wipes it. Called again
   * when an answer did not fit.
   */
  readonly ask?: (question: KeyQuestion) => Promise<Uint8Array | null>;
  /** Derived keys, kept while a stack is being opened: what is opened more than once is unlocked once. */
  readonly vault?: KeyVault;
}

/** What a person is asked for. */
export interface KeyQuestion {
  /** The lock, as people know it: "luks/<UUID> on disk0.img". */
  readonly name: string;
  /** How often it was asked before. */
  readonly attempt: number;
}

/** Keeps keys that were costly to derive, in memory alone. Its owner wipes it. */
export interface KeyVault {
  /** A copy of what was kept under this name, which the caller wipes; null: nothing was. */
  recall(name: string): Uint8Array | null;
  /** Keeps a copy. The name tells the lock from every other, and is no secret. */
  keep(name: string, key: Uint8Array): void;
}

/** A device with the name it has in the stack, such as "d0.img" or "md/oracle:0". */
export interface NamedLayer {
  readonly name: string;
  readonly layer: Layer;
}

/** What a driver asks another one for. */
export interface OpenWithRequest {
  /** Checked by the other driver's own schema. */
  readonly options: unknown;
  /** Ready to be read from; in the order that the other driver's options speak of. */
  readonly lowers: readonly NamedLayer[];
  /** Hears what the other driver reports; by default that goes where the asker's own reports go. */
  readonly report?: (problem: Problem) => void;
}

/** What a driver is given to open a device. */
export interface OpenContext<Options> {
  readonly environment: Environment;
  readonly options: Options;
  /** What the new device stands on; opened already. For a group: all members that were found, in no particular order. */
  readonly lowers: readonly NamedLayer[];
  /** Names of lowers that could not be opened, for a driver that can do without some (`canLackLowers`); absent: all are there. */
  readonly missing?: readonly string[];
  readonly keySource: KeySource;
  /** Nothing may be written, not one byte. */
  readonly isReadOnly: boolean;
  /** Writing with redundancy missing was allowed by name. */
  readonly canWriteDegraded: boolean;
  /** Relative paths in options start here. */
  readonly directory: string;
  /** Ends what takes long, such as deriving a key, with the signal's reason or `CEV_CANCELLED`. */
  readonly signal?: AbortSignalLike | undefined;
  /** Is told, in a few words, when something begins that may take long: "unlocking luks/<UUID>". */
  readonly onWork?: ((what: string) => void) | undefined;
  /** For what does not stop the work. */
  report(problem: Problem): void;
  /**
   * Opens devices with another driver of the stack, by its name: so a format that builds on another takes it in without
   * importing it (a logical volume that is a RAID array). What comes back is not open yet; whoever asked puts a layer of
   * its own on it. Throws `CEV_NOT_FOUND` where the driver is not there. Absent: the driver was called without a stack.
   */
  openWith?(driver: string, request: OpenWithRequest): Promise<readonly OpenedDevice[]>;
}

/** One device that a driver made. Its layer has not been opened yet: the stack does that. */
export interface OpenedDevice {
  /** Name proposed for it ("vg0/root", "md/name", "luks/UUID"); null: the lower's name, or the one in the stack file, stands alone. */
  readonly name: string | null;
  readonly layer: Layer;
  /** "clean", "degraded", "inactive"… in the words of the format. */
  readonly state: string;
  readonly details: Details;
  /**
   * Which of the lowers it stands on, by their indexes; by default on all of them. For a driver that was given what does not
   * belong together, such as two clones of one group.
   */
  readonly lowerIndexes?: readonly number[] | undefined;
}

/**
 * What a package exports to be found by name. `open` reads metadata and makes layers; the layers claim and write only
 * once they are opened themselves.
 */
export interface Driver<Options = unknown> {
  /** As written in stack files: the package's name; where a package has several drivers, `package/name`. */
  readonly name: string;
  /** The `INTERFACE_VERSION` it was written for, as a number of its own. */
  readonly interfaceVersion: number;
  /** One line on what it is. */
  readonly summary: string;
  /** Checks and completes the options. */
  readonly options: StandardSchema<Options>;
  /** The same as a JSON Schema, for editors and documentation. Absent: `options` is asked for it, where it follows Standard JSON Schema. */
  readonly optionsSchema?: Details;
  /** How many lowers it takes. */
  readonly lowers: { readonly countMin: number; readonly countMax: number };
  /**
   * True: what it opens are children of its entry in a stack file, each named by the entry and the last part of the name
   * it proposes, even when there is only one (volume groups, partition tables). Otherwise one device takes the entry's name.
   */
  readonly yieldsChildren?: boolean;
  /** True: it opens, and says what that means, also where some of its lowers are missing, but not all. */
  readonly canLackLowers?: boolean;
  /**
   * True: what is read through its layers is what lies below, whatever else they do, and nothing of theirs is stored there. Such layers can
   * be put into a running stack and taken out. Default: false.
   */
  readonly isFilter?: boolean;
  /** Schemes of URIs, without the colon, that name devices of this driver on a command line, in the place of an image. */
  readonly uriSchemes?: readonly string[];
  /**
   * The options for such a URI, and a short name for people; `longName`, where there is one, tells it from others of that name: the
   * short one with folders in front, separated by slashes. Throws `CEV_INVALID` or `CEV_NOT_SUPPORTED` for one that cannot be used.
   */
  fromUri?(uri: string): { readonly options: Details; readonly name: string; readonly longName?: string };
  /**
   * Looks at a device and writes nothing. Null: not this format. Throws `CEV_BAD_METADATA` when it clearly is, but
   * cannot be accepted.
   */
  probe?(device: Device): Promise<Finding | null>;
  open(context: OpenContext<Options>): Promise<readonly OpenedDevice[]>;
}
