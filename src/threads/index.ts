import { employ } from "../kernels/select.js";
import { type RunningCrew, startCrew } from "./crew.js";

/** Threads at work; `stop` ends them. */
export interface ThreadPool {
  /** how many compute, the calling thread among them */
  readonly count: number;
  /** Ends the threads; from then on the calling thread computes alone. Calling it again does nothing. */
  stop(): Promise<void>;
}

let running: { crew: RunningCrew; users: number } | undefined;
let starting: Promise<unknown> | undefined;

export async function startThreads(count = 2): Promise<ThreadPool> {
  await starting;
  if (!running) {
    const start = startCrew(count);
    starting = start.catch(() => {});
    running = { crew: await start, users: 0 };
    employ(running.crew);
  }
  const held = running;
  held.users++;
  let stopped = false;
  return {
    count: held.crew.count,
    async stop() {
      if (stopped) return;
      stopped = true;
      if (--held.users > 0) return;
      running = undefined;
      employ(undefined);
      await held.crew.stop();
    },
  };
}
