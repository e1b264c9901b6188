// The newest long-term-support release of Node, from npm, which carries Node's binaries as packages.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

/** Even release lines appear in April of this year plus half their number, and become LTS in October. */
const YEAR_OF_ZERO = 2013;
const OCTOBER = 9;

/**
 * The newest version of the newest release line that is in long-term support.
 *
 * @param versions  as "26.12.1"; those of prereleases are left out
 */
export function newestLts(versions: readonly string[], today: Date): string | undefined {
  const year = today.getUTCFullYear() - (today.getUTCMonth() < OCTOBER ? 1 : 0);
  return versions
    .filter((version) => /^\d+\.\d+\.\d+$/.test(version))
    .map((version) => version.split(".").map(Number))
    .filter(([major]) => major % 2 === 0 && YEAR_OF_ZERO + major / 2 <= year)
    .sort((a, b) => b[0] - a[0] || b[1] - a[1] || b[2] - a[2])
    .map((parts) => parts.join("."))[0];
}

/** Installs that Node into a folder, unless it is there: its executable, or why there is none. */
export function newestNode(
  folder: string,
): { readonly path: string; readonly version: string } | { readonly missing: string } {
  const windows = process.platform === "win32";
  const name = `node-${windows ? "win" : process.platform}-${process.arch}`;
  // On Windows npm is a script of the shell. No argument has a character that a shell would change.
  const npm = (...parts: string[]) =>
    spawnSync("npm", [...parts, "--fetch-retries=1", "--fetch-retry-mintimeout=1000"], {
      encoding: "utf8",
      shell: windows,
      timeout: 300_000,
    });
  const listed = npm("view", name, "versions", "--json");
  const versions: string[] =
    listed.status === 0 ? [JSON.parse(listed.stdout) as string | string[]].flat() : installedIn(folder);
  const version = newestLts(versions, new Date());
  if (version === undefined) return { missing: `npm has no LTS release of ${name}, or cannot be reached` };
  const place = join(folder, `node-${version}`);
  const path = join(place, "node_modules", name, "bin", windows ? "node.exe" : "node");
  if (!existsSync(path)) {
    const { status } = npm("install", "--prefix", place, "--no-save", "--no-audit", `${name}@${version}`);
    if (status !== 0 || !existsSync(path)) return { missing: `${name}@${version} could not be installed` };
  }
  return { path, version };
}

/** The versions that earlier runs have installed. */
function installedIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((entry) => entry.replace(/^node-/, "")) : [];
}
