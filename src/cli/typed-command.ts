import type { Command } from "commander";

/** A command as it was typed, for a report. */
export function typedCommand(name: string, { parent }: Command): string {
  return ["spectral-norm", name, ...(parent?.args.slice(1) ?? [])].map(quoted).join(" ");
}

/** Quoted for a shell where it has to be. */
function quoted(word: string): string {
  return /^[\w./=:@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
