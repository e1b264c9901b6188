import type { Failure, Message, Request, Task } from "../work/task.js";
import type { Tasks } from "../work/tasks.js";

type Input<T> = T extends Task<infer I, infer _O, infer _U> ? I : never;
type Output<T> = T extends Task<infer _I, infer O, infer _U> ? O : never;
type Update<T> = T extends Task<infer _I, infer _O, infer U> ? U : never;

export interface Listener<U> {
  /** the computation has started */
  begun?(): void;
  progress?(label: string, done: number, total: number): void;
  update?(part: U): void;
}

/** A requested computation. */
export interface Job<O> {
  readonly result: Promise<O>;
  /** Ends it at once; `result` rejects with `Stopped`. */
  stop(): void;
}

/** The reader stopped the computation or started a newer one. */
export class Stopped extends Error {
  override readonly name = "Stopped";
}

/** An error of a computation in the worker. */
export class Failed extends Error {
  override readonly name: string;
  readonly code: string | undefined;
  constructor({ name, message, code }: Failure) {
    super(message);
    this.name = name;
    this.code = code;
  }
}

interface Waiting {
  readonly request: Request;
  readonly listener: Listener<unknown>;
  resolve(value: unknown): void;
  reject(error: Error): void;
}

const queue: Waiting[] = [];
let worker: Worker | undefined;
let count = 0;

/**
 * Computes something in the worker. Computations run one after another, so that none is timed while it shares the
 * processor with another.
 */
export function compute<Name extends keyof Tasks>(
  task: Name,
  input: Input<Tasks[Name]>,
  listener: Listener<Update<Tasks[Name]>> = {},
): Job<Output<Tasks[Name]>> {
  const { promise, resolve, reject } = withResolvers<unknown>();
  const waiting: Waiting = {
    request: { id: count++, task, input },
    listener: listener as Listener<unknown>,
    resolve,
    reject,
  };
  queue.push(waiting);
  if (queue.length === 1) begin();
  return {
    result: promise as Promise<Output<Tasks[Name]>>,
    stop: () => stop(waiting),
  };
}

function begin(): void {
  const first = queue[0];
  if (!first) return;
  worker ??= spawnWorker();
  first.listener.begun?.();
  worker.postMessage(first.request);
}

function spawnWorker(): Worker {
  const hired = new Worker(new URL("../work/worker.ts", import.meta.url), { type: "module" });
  hired.onmessage = ({ data }: MessageEvent<Message>) => {
    const first = queue[0];
    if (data.id !== first?.request.id) return;
    if (data.kind === "progress") first.listener.progress?.(data.label, data.done, data.total);
    else if (data.kind === "update") first.listener.update?.(data.part);
    else {
      queue.shift();
      // A reader's code may have chosen other kernels or started threads. The next task gets a new worker.
      if (first.request.task === "runCode") terminateWorker();
      if (data.kind === "done") first.resolve(data.value);
      else first.reject(new Failed(data.failure));
      begin();
    }
  };
  // The worker did not load, or an error occurred outside a task.
  hired.onerror = (event) => {
    event.preventDefault();
    terminateWorker();
    const message = event.message || "the script that computes could not be loaded";
    queue.shift()?.reject(new Failed({ name: "Error", message }));
    begin();
  };
  return hired;
}

function stop(waiting: Waiting): void {
  const place = queue.indexOf(waiting);
  if (place < 0) return;
  queue.splice(place, 1);
  waiting.reject(new Stopped("stopped"));
  if (place > 0) return;
  // A worker receives no message while it computes, so it is terminated.
  terminateWorker();
  begin();
}

function terminateWorker(): void {
  worker?.terminate();
  worker = undefined;
}

function withResolvers<T>(): {
  promise: Promise<T>;
  resolve(value: T): void;
  reject(error: Error): void;
} {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  return { promise, resolve, reject };
}
