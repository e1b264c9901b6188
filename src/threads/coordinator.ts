import * as modules from "../kernels/wasm/binary.generated.js";
import { DeviceError } from "../matrix/errors.js";
import type { FunctionName } from "./async-functions.js";
import { coordinator as script } from "./coordinator-script.generated.js";
import { causeOption, unpackError } from "./failure.js";
import type { CoordinatorInit, Reply, Request } from "./messages.js";
import type { Payload } from "./pack.js";
import { startThread, type Thread } from "./worker.js";
import { worker } from "./worker-script.generated.js";

interface Call {
  /** an error created at the call, whose stack leads to the caller */
  readonly called: Error;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * The coordinating thread: a thread with the core and a team of its own, which computes calls so that the calling thread
 * never blocks. Calls are answered in the order in which they were made.
 */
export class Coordinator {
  /** Resolves when the thread is ready; rejects with UnsupportedError or DeviceError if it cannot start. */
  readonly ready: Promise<void>;
  readonly #thread: Thread;
  readonly #calls = new Map<number, Call>();
  #count = 0;
  /** Settles when every call so far has been sent. */
  #allSent: Promise<void> = Promise.resolve();
  #failed = false;
  readonly #onFailure: () => void;

  /**
   * @param count  number of threads to compute with, including this one
   * @param onFailure  called once, when the thread has failed or was stopped and takes no more calls
   * @throws whatever `startThread` throws
   */
  constructor(count: number, onFailure: () => void) {
    this.#onFailure = onFailure;
    // The script takes the kernels from here, so that the package has one copy of them.
    const shared = JSON.stringify({ ...modules, worker });
    this.#thread = startThread(`const shared = ${shared};\n${script}`, "spectral-norm 0");
    this.ready = new Promise((resolve, reject) => {
      const failed = (error: unknown) => {
        reject(error);
        this.#fail(error);
        void this.#thread.end();
      };
      this.#thread.listen(
        (message) => {
          const reply = message as Reply;
          if (reply.id !== undefined) this.#settle(reply.id, reply);
          else if ("error" in reply) failed(unpackError(reply.error));
          else {
            resolve();
            this.#holdWhileBusy();
          }
        },
        (why, cause) =>
          failed(new DeviceError(`threads: the computing thread has failed: ${why}`, causeOption(cause))),
      );
    });
    this.ready.catch(() => {});
    this.#thread.post({ count } satisfies CoordinatorInit);
  }

  /**
   * @param called  an error created where the function was called, for the stacks of errors that come back
   * @throws (rejects) what the function throws; DeviceError if the thread ends before it answers
   */
  call(
    name: FunctionName,
    kernels: Request["kernels"],
    payload: Promise<Payload>,
    called: Error,
  ): Promise<unknown> {
    payload.catch(() => {});
    const id = this.#count++;
    const before = this.#allSent;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { called, resolve, reject });
      this.#thread.hold();
      this.#allSent = (async () => {
        await before;
        try {
          const { matrices, rest, transfer } = await payload;
          await this.ready;
          // The thread was stopped or has failed meanwhile.
          if (!this.#calls.has(id)) return;
          this.#thread.post({ id, name, kernels, matrices, rest } satisfies Request, transfer);
        } catch (error) {
          this.#calls.delete(id);
          reject(error);
          this.#holdWhileBusy();
        }
      })();
    });
  }

  /** Terminates the thread. Open calls reject with a DeviceError. */
  async stop(): Promise<void> {
    this.#fail(new DeviceError("threads: the pool was stopped before this was computed"));
    await this.#thread.end();
  }

  #settle(id: number, reply: Reply): void {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if ("error" in reply) call?.reject(unpackError(reply.error, call.called));
    else call?.resolve(reply.value);
    this.#holdWhileBusy();
  }

  #fail(error: unknown): void {
    // A failure may be reported twice, and by then another coordinator may have been started.
    if (this.#failed) return;
    this.#failed = true;
    this.#onFailure();
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { reject } of calls) reject(error);
  }

  /** Keeps Node alive while an answer is awaited. */
  #holdWhileBusy(): void {
    if (this.#calls.size === 0) this.#thread.release();
  }
}
