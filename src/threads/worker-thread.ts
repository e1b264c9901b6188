// The script of a team's worker. The build bundles this file and inlines it as text, because bundlers would not keep a
// separate script beside the module.
import { packError } from "./failure.js";
import type { Failed, WorkerInit } from "./messages.js";
import { parentPort } from "./port.js";
import { routinesOver } from "./routines.js";
import { serveJobs } from "./serve-jobs.js";

const port = parentPort();

/** Reports that the worker has started, and works on jobs until the team is stopped. */
function serve({ memory, modules, shared, names, thread, threads }: WorkerInit): void {
  const sets = modules.map((module) => routinesOver(module, memory));
  yieldToOthers();
  port.post("ready");
  serveJobs(shared, names, sets, thread, threads);
}

/**
 * Gives the worker the lowest priority, so that it computes in time that nothing else needs. Otherwise it could take a
 * core from the main thread when another process is busy. Only on Linux do threads have priorities of their own.
 */
function yieldToOthers(): void {
  if (typeof process === "undefined" || process.platform !== "linux") return;
  // Deno would ask the user for permission.
  if ("deno" in process.versions || "bun" in process.versions) return;
  try {
    const { constants, setPriority } = process.getBuiltinModule("node:os");
    setPriority(constants.priority.PRIORITY_LOW);
  } catch {
    // Some sandboxes forbid it.
  }
}

port.listen((init) => {
  try {
    serve(init as WorkerInit);
  } catch (error) {
    port.post({ error: packError(error) } satisfies Failed);
  }
});
