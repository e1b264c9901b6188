import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** The version of an installed package that does not export it: from the manifest above its entry. */
export function installedVersion(name: string): string {
  let folder = dirname(createRequire(import.meta.url).resolve(name));
  while (dirname(folder) !== folder) {
    const manifest = manifestIn(folder);
    if (manifest?.name === name) return manifest.version ?? "unknown";
    folder = dirname(folder);
  }
  return "unknown";
}

function manifestIn(folder: string): { name?: string; version?: string } | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  } catch {
    return undefined;
  }
}
