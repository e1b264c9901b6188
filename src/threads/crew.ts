import type { Arena } from "../kernels/contract.js";
import { type Crew, divided } from "../kernels/parallel.js";
import type { Threads } from "../kernels/select.js";
import { relaxedAvailable, sharedMemory, sharedModules, wasmKernels } from "../kernels/wasm/instance.js";
import { instantiate } from "../kernels/wasm/instantiate.js";
import { DeviceError, UnsupportedError } from "../matrix/errors.js";
import { BOARD_BYTES, Board, type Routines } from "./jobs.js";
import type { Orders } from "./member.js";
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
 * @throws UnsupportedError where WebAssembly is missing or forbidden, or there are no workers; DeviceError if there
 *   is no memory or a thread cannot be started; the others are ended then
 */
export async function startCrew(count: number, worth?: number): Promise<RunningCrew> {
  const modules = compiled();
  const memory = reserved();
  const routines = modules.map((set) => instantiate(set, memory) as Routines);
  const names = Object.keys(routines[0]);
  const shared = new SharedArrayBuffer(BOARD_BYTES);
  const board = new Board(shared, names, routines, 0);
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
        const failed = (why: unknown) =>
          reject(new DeviceError(`startThreads: thread ${i + 1} of ${count - 1} did not start: ${why}`));
        member.listen((message) => (message === "ready" ? resolve() : failed(message)), failed);
        const orders: Orders = { memory, modules, board: shared, names, thread: i + 1 };
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
    run(routine, args, chunks) {
      if (!board.lead(relaxed ? 1 : 0, routine, args, chunks))
        throw new DeviceError(`threads: one has failed in ${routine}; stop the pool and start another`);
    },
  });
  // One for all kernels on this memory: two would hand the same bytes out twice.
  let arena: Arena | undefined;
  const kernels = (relaxed: boolean) => {
    const { name, routines, slots, arena: first } = wasmKernels(relaxed, memory);
    arena ??= first;
    return { name, arena, routines: divided(arena, routines, slots, crewOf(relaxed), worth) };
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
    );
  }
}

function reserved(): WebAssembly.Memory {
  try {
    return sharedMemory();
  } catch (error) {
    throw new DeviceError(`startThreads: no memory to share: ${messageOf(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
