// The licences of packages of which something is in a bundle.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export function packageAt(folder) {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
}

/** The folder of the package that a file belongs to; undefined for one of ours. */
export function packageFolder(file) {
  return file.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//)?.[1];
}

/** A package's name, version and licence. */
export function licenceOf(folder) {
  const { name, version, license, author } = packageAt(folder);
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  if (!file && !license) throw new Error(`${name} is bundled and states no licence`);
  const holder = typeof author === "string" ? author : author?.name;
  const text = file
    ? readFileSync(join(folder, file), "utf8").trim()
    : `${license}${holder ? `, ${holder}` : ""} (the package has no file with its text)`;
  return `${name} ${version}\n${"=".repeat(`${name} ${version}`.length)}\n\n${text}\n`;
}
