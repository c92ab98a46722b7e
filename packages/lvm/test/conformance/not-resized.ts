import type { Manifest } from "@cev/test-kit";

/** Of all volumes. */
export const NOT_RESIZED: NonNullable<Manifest["skip"]> = {
  resize: "a volume grows by a command on its group while nobody has it open (lvextend), and is opened anew",
};
