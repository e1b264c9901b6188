import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** The command as it is published: the bundle. */
export const command = fileURLToPath(new URL("../../dist/cli/spectral-norm.js", import.meta.url));

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built command to its end. */
export function runCommand(...argv: string[]): Outcome {
  if (!existsSync(command)) throw new Error("dist/cli is missing: npm run build first");
  return runScript(command, ...argv);
}

/** Runs a script to its end. */
export function runScript(script: string, ...argv: string[]): Outcome {
  const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...argv], { encoding: "utf8" });
  return { status, stdout, stderr };
}
