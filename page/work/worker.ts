import { failureOf, type Message, type Report, type Request, type Task } from "./task.js";
import { tasks } from "./tasks.js";

/** The part of a worker's global scope that is used here; the types of the page are those of windows. */
interface Scope {
  onmessage: ((event: { readonly data: Request }) => void) | null;
  postMessage(message: Message): void;
}
const scope = globalThis as unknown as Scope;

/** Milliseconds between reports of progress. */
const betweenReports = 50;

scope.onmessage = async ({ data: { id, task, input } }) => {
  let last = Number.NEGATIVE_INFINITY;
  const report: Report<unknown> = {
    progress(label, done, total) {
      const now = performance.now();
      if (now - last < betweenReports && done < total) return;
      last = now;
      scope.postMessage({ id, kind: "progress", label, done, total });
    },
    update: (part) => scope.postMessage({ id, kind: "update", part }),
  };
  try {
    const run = tasks[task as keyof typeof tasks] as Task<unknown, unknown, unknown>;
    scope.postMessage({ id, kind: "done", value: await run(input, report) });
  } catch (error) {
    scope.postMessage({ id, kind: "failed", failure: failureOf(error) });
  }
};
