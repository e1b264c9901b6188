import type { Arena } from "../kernels/contract.js";
import { divided } from "../kernels/parallel.js";
import type { Threads } from "../kernels/select.js";
import {
  arenaOf,
  relaxedAvailable,
  sharedMemory,
  sharedModule,
  wasmKernels,
} from "../kernels/wasm/instance.js";
import type { WorkerTeam } from "../kernels/worker-team.js";
import { messageOf } from "../matrix/error-message.js";
import { DeviceError, UnsupportedError } from "../matrix/errors.js";
import { causeOption, unpackError } from "./failure.js";
import { type Areas, JobQueue } from "./job-queue.js";
import { teamBytes } from "./mailbox.js";
import type { Failed, WorkerInit } from "./messages.js";
import { routinesOver } from "./routines.js";
import { startThread, type Thread } from "./worker.js";
import { worker as script } from "./worker-script.generated.js";

/** A team that has started, with a memory of its own. This thread is its main thread. */
export interface RunningTeam extends Threads {
  readonly memory: WebAssembly.Memory;
  readonly arena: Arena;
  teamOf(relaxed: boolean): WorkerTeam;
  stop(): Promise<void>;
}

/**
 * Bytes of kernel memory that all threads together have for their outputs. Chosen: a pass over 1 GiB writes as much. With
 * a larger matrix, the workers stop when their part is full. Memory that is not written to takes addresses only.
 */
const AREA_BYTES = 2 ** 25;
const AREA_ALIGNMENT = 2 ** 12;

/**
 * Starts `count` − 1 threads beside this one, or fewer.
 *
 * @param worth  least number of multiplications for which a call is divided; default: where threads begin to gain
 * @param most  most threads that compute; `count` is what the team says of itself
 * @throws UnsupportedError if WebAssembly is missing or forbidden, or if there are no workers; DeviceError if memory
 *   cannot be reserved or a thread cannot be started, after the other threads have been terminated
 */
export async function startTeam(
  count: number,
  worth?: number,
  most = Number.POSITIVE_INFINITY,
): Promise<RunningTeam> {
  const threads = Math.min(count, most);
  const modules = compiled();
  const { memory, arena, areas } = reserved(threads);
  const routines = modules.map((module) => routinesOver(module, memory));
  const names = Object.keys(routines[0]);
  const shared = new SharedArrayBuffer(teamBytes(threads));
  const queue = new JobQueue(shared, names, routines, threads, areas);
  const workers: Thread[] = [];
  const stop = async () => {
    queue.stop();
    await Promise.all(workers.map((worker) => worker.end()));
  };
  try {
    const ready = Array.from({ length: threads - 1 }, (_, i) => {
      const worker = startThread(script, `spectral-norm ${i + 1}`);
      workers.push(worker);
      const started = new Promise<void>((resolve, reject) => {
        const failed = (why: string, cause?: unknown) => {
          reject(
            new DeviceError(
              `startThreads: thread ${i + 1} of ${threads - 1} did not start: ${why}`,
              causeOption(cause),
            ),
          );
        };
        worker.listen((message) => {
          if (message === "ready") return resolve();
          const error = unpackError((message as Failed).error);
          failed(messageOf(error), error);
        }, failed);
        const init: WorkerInit = { memory, modules, shared, names, thread: i + 1, threads };
        worker.post(init);
      });
      // If starting the next thread throws, nobody awaits this promise.
      started.catch(() => {});
      return started;
    });
    await Promise.all(ready);
    for (const worker of workers) worker.release();
  } catch (error) {
    await stop();
    throw error;
  }
  const teamOf = (relaxed: boolean): WorkerTeam => ({
    threads,
    available: () => queue.available(),
    wake: () => queue.wake(),
    run: (job, use) => queue.run(relaxed ? 1 : 0, job, use),
  });
  // All kernels on this memory share one arena: two would hand out the same bytes.
  const kernels = (relaxed: boolean) => {
    const { name, routines, slots } = wasmKernels(relaxed, memory);
    const team = teamOf(relaxed);
    return { name, arena, team, routines: divided(arena, routines, slots, team, worth) };
  };
  return { count, memory, arena, teamOf, kernels, stop };
}

/** The module of each set of kernels that this engine supports, the relaxed set second. */
function compiled(): WebAssembly.Module[] {
  try {
    return [sharedModule(false), ...(relaxedAvailable() ? [sharedModule(true)] : [])];
  } catch (error) {
    throw new UnsupportedError(
      `startThreads: threads compute in WebAssembly, which is not available: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

/** A memory to share, with the areas that the workers write to. */
function reserved(threads: number): { memory: WebAssembly.Memory; arena: Arena; areas: Areas } {
  const bytes = AREA_ALIGNMENT * Math.floor(AREA_BYTES / (AREA_ALIGNMENT * threads));
  try {
    const memory = sharedMemory();
    const arena = arenaOf(memory);
    // Never released, because a late worker may write to its area at any time.
    return { memory, arena, areas: { pointer: arena.take(bytes * (threads - 1)), bytes } };
  } catch (error) {
    throw new DeviceError(`startThreads: no memory to share: ${messageOf(error)}`, { cause: error });
  }
}
