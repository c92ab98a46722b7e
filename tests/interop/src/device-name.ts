import type { GoldenManifest } from "../golden/manifest.ts";

/** The name `cev` gives to a layer of a golden set. */
export function deviceName(manifest: GoldenManifest, layer: string): string {
  if (layer === "md") return `md/${manifest.facts["array.name"]!}`;
  if (layer === "luks") return `luks/${manifest.facts["luks.uuid"]!}`;
  if (/^p\d+$/.test(layer)) return `disk0.img/${layer}`;
  return layer;
}
