import { dense, frequent, gram, products, proof } from "../kernels/wasm/binary.generated.js";
import { DeviceError } from "../matrix/errors.js";
import { because, unpackError } from "./failure.js";
import type { Payload } from "./pack.js";
import type { Beginning, FunctionName, Reply, Request } from "./request.js";
import { coordinator as script, thread } from "./scripts.generated.js";
import { startThread, type Thread } from "./worker.js";

interface Call {
  /** an error made by the call, whose stack leads to the caller */
  readonly called: Error;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * A thread with the core in it, which leads a crew of its own and answers calls, so that the thread that makes them
 * never waits. Calls are answered in the order in which they were made.
 */
export class Coordinator {
  /** Settles when it has begun: rejects with UnsupportedError or DeviceError if it cannot. */
  readonly begun: Promise<void>;
  readonly #thread: Thread;
  readonly #calls = new Map<number, Call>();
  #count = 0;
  /** When every call so far has been handed over. */
  #handedOver: Promise<void> = Promise.resolve();
  #ended = false;
  readonly #onEnd: () => void;

  /**
   * @param count  threads to compute with, its own among them
   * @param onEnd  called when it has failed and can take no more calls
   * @throws as `startThread` does
   */
  constructor(count: number, onEnd: () => void) {
    this.#onEnd = onEnd;
    // Instead of a second copy of the kernels in its script.
    const given = JSON.stringify({ frequent, products, gram, dense, proof, thread });
    this.#thread = startThread(`const given = ${given};\n${script}`, "spectral-norm 0");
    this.begun = new Promise((resolve, reject) => {
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
          failed(new DeviceError(`threads: the computing thread has failed: ${why}`, because(cause))),
      );
    });
    this.begun.catch(() => {});
    this.#thread.post({ count } satisfies Beginning);
  }

  /**
   * @param called  an error made where the function was called, for the stacks of those that come back
   * @throws (rejects) what the function throws; DeviceError if the thread ends before it has answered
   */
  call(
    name: FunctionName,
    kernels: Request["kernels"],
    parcel: Promise<Payload>,
    called: Error,
  ): Promise<unknown> {
    parcel.catch(() => {});
    const id = this.#count++;
    const before = this.#handedOver;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { called, resolve, reject });
      this.#thread.hold();
      this.#handedOver = (async () => {
        await before;
        try {
          const { matrices, rest, transfer } = await parcel;
          await this.begun;
          // Stopped in the meantime, or failed.
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

  /** Ends it; calls that it has not answered reject with a DeviceError. */
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
    // A failure may be told twice, and another may be at work by then.
    if (this.#ended) return;
    this.#ended = true;
    this.#onEnd();
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const { reject } of calls) reject(error);
  }

  /** Node must not end while an answer is awaited. */
  #holdWhileBusy(): void {
    if (this.#calls.size === 0) this.#thread.release();
  }
}
