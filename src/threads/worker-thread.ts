// The script of a team's worker. The build bundles this file and inlines it as text, because bundlers would not keep a
// separate script beside the module.
import { packError } from "./failure.js";
import { JobQueue, routinesOver } from "./job-queue.js";
import type { Failed, WorkerInit } from "./messages.js";
import { parentPort } from "./port.js";

const port = parentPort();

/** Reports that the worker has started, and works on jobs until the queue is stopped. */
function serve({ memory, modules, queue, names, thread, threads }: WorkerInit): void {
  const sets = modules.map((set) => routinesOver(set, memory));
  const jobs = new JobQueue(queue, names, sets, thread, threads);
  port.post("ready");
  jobs.serve();
}

port.listen((init) => {
  try {
    serve(init as WorkerInit);
  } catch (error) {
    port.post({ error: packError(error) } satisfies Failed);
  }
});
