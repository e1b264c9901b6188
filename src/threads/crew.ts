import type { Crew } from "../kernels/parallel.js";
import type { Threads } from "../kernels/select.js";
import { relaxedAvailable, sharedMemory, sharedModules } from "../kernels/wasm/instance.js";
import { instantiate } from "../kernels/wasm/instantiate.js";
import { DeviceError } from "../matrix/errors.js";
import { Board, boardBytes, type Routines } from "./jobs.js";
import type { Orders } from "./member.js";
import { thread as script } from "./scripts.generated.js";
import { startThread, type Thread } from "./worker.js";

/** A crew at work on a memory of its own; this thread leads it. */
export interface RunningCrew extends Threads {
  stop(): Promise<void>;
}

/**
 * Starts `count` − 1 threads beside this one.
 *
 * @throws DeviceError if one cannot be started; the others are ended then
 */
export async function startCrew(count: number): Promise<RunningCrew> {
  const memory = sharedMemory();
  const modules = [sharedModules(false), ...(relaxedAvailable() ? [sharedModules(true)] : [])];
  const sets = modules.map((set) => instantiate(set, memory) as Routines);
  const names = Object.keys(sets[0]);
  const shared = new SharedArrayBuffer(boardBytes(count));
  const board = new Board(shared, names, sets, 0, count);
  const members: Thread[] = [];
  const stop = async () => {
    board.stop();
    await Promise.all(members.map((member) => member.end()));
  };
  try {
    const ready = Array.from({ length: count - 1 }, (_, i) => {
      const member = startThread(script, `spectral-norm ${i + 1}`);
      members.push(member);
      return new Promise<void>((resolve, reject) => {
        const failed = (why: unknown) =>
          reject(new DeviceError(`startThreads: thread ${i + 1} of ${count - 1} did not start: ${why}`));
        member.listen((message) => (message === "ready" ? resolve() : failed(message)), failed);
        const orders: Orders = { memory, modules, board: shared, names, thread: i + 1, threads: count };
        member.post(orders);
      });
    });
    await Promise.all(ready);
    for (const member of members) member.release();
  } catch (error) {
    await stop();
    throw error;
  }
  const crewOf = (relaxed: boolean): Crew => ({
    threads: count,
    run(routine, args, chunks, backwards = false) {
      if (!board.lead(relaxed ? 1 : 0, routine, args, chunks, backwards))
        throw new DeviceError(`threads: one has failed in ${routine}; stop the pool and start another`);
    },
  });
  return { count, memory, crewOf, stop };
}
