import type { Arena } from "../kernels/contract.js";
import { divided } from "../kernels/parallel.js";
import type { Threads } from "../kernels/select.js";
import { relaxedAvailable, sharedMemory, sharedModules, wasmKernels } from "../kernels/wasm/instance.js";
import type { WorkerTeam } from "../kernels/worker-team.js";
import { messageOf } from "../matrix/error-message.js";
import { DeviceError, UnsupportedError } from "../matrix/errors.js";
import { causeOption, unpackError } from "./failure.js";
import { JobQueue, jobQueueBytes, PATIENCE_MS, routinesOver } from "./job-queue.js";
import type { Failed, WorkerInit } from "./messages.js";
import { worker as script } from "./scripts.generated.js";
import { startThread, type Thread } from "./worker.js";

/** A team that has started, with a memory of its own. This thread is its main thread. */
export interface RunningTeam extends Threads {
  readonly memory: WebAssembly.Memory;
  teamOf(relaxed: boolean): WorkerTeam;
  stop(): Promise<void>;
}

/**
 * Starts `count` − 1 threads beside this one.
 *
 * @param worth  least number of multiplications for which a call is divided; default: where threads begin to gain
 * @param patience  milliseconds that a job waits for a thread's last chunk; only tests shorten it
 * @throws UnsupportedError if WebAssembly is missing or forbidden, or if there are no workers; DeviceError if memory
 *   cannot be reserved or a thread cannot be started, after the other threads have been terminated
 */
export async function startTeam(count: number, worth?: number, patience = PATIENCE_MS): Promise<RunningTeam> {
  const modules = compiled();
  const memory = reserved();
  const routines = modules.map((set) => routinesOver(set, memory));
  const names = Object.keys(routines[0]);
  const shared = new SharedArrayBuffer(jobQueueBytes(count));
  const queue = new JobQueue(shared, names, routines, 0, count, patience);
  const workers: Thread[] = [];
  const stop = async () => {
    queue.stop();
    await Promise.all(workers.map((worker) => worker.end()));
  };
  try {
    const ready = Array.from({ length: count - 1 }, (_, i) => {
      const worker = startThread(script, `spectral-norm ${i + 1}`);
      workers.push(worker);
      const started = new Promise<void>((resolve, reject) => {
        const failed = (why: string, cause?: unknown) => {
          reject(
            new DeviceError(
              `startThreads: thread ${i + 1} of ${count - 1} did not start: ${why}`,
              causeOption(cause),
            ),
          );
          // It may have started: then the jobs that wait for it need the reason.
          queue.workerEnded(cause ?? new DeviceError(`threads: thread ${i + 1} of ${count - 1}: ${why}`));
        };
        worker.listen((message) => {
          if (message === "ready") return resolve();
          const error = unpackError((message as Failed).error);
          failed(messageOf(error), error);
        }, failed);
        const init: WorkerInit = { memory, modules, queue: shared, names, thread: i + 1, threads: count };
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
    threads: count,
    run: (routine, args, chunks, backwards) => queue.run(relaxed ? 1 : 0, routine, args, chunks, backwards),
  });
  // One arena for all kernels on this memory: two arenas would hand out the same bytes.
  let arena: Arena | undefined;
  const kernels = (relaxed: boolean) => {
    const { name, routines, slots, arena: first } = wasmKernels(relaxed, memory);
    // A stuck thread may still write to the memory, so nothing may use it, divided or not.
    arena ??= {
      ...first,
      take(bytes) {
        queue.refuseIfStuck();
        return first.take(bytes);
      },
    };
    const team = teamOf(relaxed);
    return { name, arena, team, routines: divided(arena, routines, slots, team, worth) };
  };
  return { count, memory, teamOf, kernels, stop };
}

/** The modules of each set of kernels that this engine supports, the relaxed set second. */
function compiled(): WebAssembly.Module[][] {
  try {
    return [sharedModules(false), ...(relaxedAvailable() ? [sharedModules(true)] : [])];
  } catch (error) {
    throw new UnsupportedError(
      `startThreads: threads compute in WebAssembly, which is not available: ${messageOf(error)}`,
      { cause: error },
    );
  }
}

function reserved(): WebAssembly.Memory {
  try {
    return sharedMemory();
  } catch (error) {
    throw new DeviceError(`startThreads: no memory to share: ${messageOf(error)}`, { cause: error });
  }
}
