import type { Arena } from "../kernels/contract.js";
import { divided } from "../kernels/parallel.js";
import type { Threads } from "../kernels/select.js";
import { relaxedAvailable, sharedMemory, sharedModules, wasmKernels } from "../kernels/wasm/instance.js";
import type { Crew } from "../kernels/worker-team.js";
import { DeviceError, UnsupportedError } from "../matrix/errors.js";
import { because, messageOf, unpackError } from "./failure.js";
import { Board, boardBytes, PATIENCE_MS, routinesOver } from "./jobs.js";
import type { Orders } from "./member.js";
import type { Failed } from "./request.js";
import { thread as script } from "./scripts.generated.js";
import { startThread, type Thread } from "./worker.js";

/** A crew at work on a memory of its own; this thread leads it. */
export interface RunningCrew extends Threads {
  readonly memory: WebAssembly.Memory;
  crewOf(relaxed: boolean): Crew;
  stop(): Promise<void>;
}

/**
 * Starts `count` − 1 threads beside this one.
 *
 * @param worth  multiplications from which a call is divided; default: what it takes to gain
 * @param patience  milliseconds that a job waits for a thread's last chunk, which only tests shorten
 * @throws UnsupportedError where WebAssembly is missing or forbidden, or there are no workers; DeviceError if there
 *   is no memory or a thread cannot be started; the others are ended then
 */
export async function startCrew(count: number, worth?: number, patience = PATIENCE_MS): Promise<RunningCrew> {
  const modules = compiled();
  const memory = reserved();
  const routines = modules.map((set) => routinesOver(set, memory));
  const names = Object.keys(routines[0]);
  const shared = new SharedArrayBuffer(boardBytes(count));
  const board = new Board(shared, names, routines, 0, count, patience);
  const members: Thread[] = [];
  const stop = async () => {
    board.stop();
    await Promise.all(members.map((member) => member.end()));
  };
  try {
    const ready = Array.from({ length: count - 1 }, (_, i) => {
      const member = startThread(script, `spectral-norm ${i + 1}`);
      members.push(member);
      const started = new Promise<void>((resolve, reject) => {
        const failed = (why: string, cause?: unknown) => {
          reject(
            new DeviceError(
              `startThreads: thread ${i + 1} of ${count - 1} did not start: ${why}`,
              because(cause),
            ),
          );
          // One that had started: for the jobs that miss it.
          board.memberEnded(cause ?? new DeviceError(`threads: thread ${i + 1} of ${count - 1}: ${why}`));
        };
        member.listen((message) => {
          if (message === "ready") return resolve();
          const error = unpackError((message as Failed).error);
          failed(messageOf(error), error);
        }, failed);
        const orders: Orders = { memory, modules, board: shared, names, thread: i + 1, threads: count };
        member.post(orders);
      });
      // Nobody hears of it if the next thread cannot even be asked for.
      started.catch(() => {});
      return started;
    });
    await Promise.all(ready);
    for (const member of members) member.release();
  } catch (error) {
    await stop();
    throw error;
  }
  const crewOf = (relaxed: boolean): Crew => ({
    threads: count,
    run: (routine, args, chunks, backwards) => board.lead(relaxed ? 1 : 0, routine, args, chunks, backwards),
  });
  // One for all kernels on this memory: two would hand the same bytes out twice.
  let arena: Arena | undefined;
  const kernels = (relaxed: boolean) => {
    const { name, routines, slots, arena: first } = wasmKernels(relaxed, memory);
    // Memory that a stuck thread may still write to is nobody's, also where nothing is divided.
    arena ??= {
      ...first,
      take(bytes) {
        board.refuseIfStuck();
        return first.take(bytes);
      },
    };
    const crew = crewOf(relaxed);
    return { name, arena, crew, routines: divided(arena, routines, slots, crew, worth) };
  };
  return { count, memory, crewOf, kernels, stop };
}

/** The modules of each set of kernels that this engine has, the relaxed one second. */
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
