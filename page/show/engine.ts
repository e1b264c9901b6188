import type { Failure, Message, Request, Task } from "../work/task.js";
import type { Tasks } from "../work/tasks.js";

type Input<T> = T extends Task<infer I, infer _O, infer _U> ? I : never;
type Output<T> = T extends Task<infer _I, infer O, infer _U> ? O : never;
type Update<T> = T extends Task<infer _I, infer _O, infer U> ? U : never;

export interface Listener<U> {
  /** its turn has come */
  begun?(): void;
  progress?(label: string, done: number, total: number): void;
  update?(part: U): void;
}

/** A computation that was asked for. */
export interface Job<O> {
  readonly result: Promise<O>;
  /** Ends it at once, whatever it is doing; `result` rejects with `Stopped`. */
  stop(): void;
}

/** The reader has stopped it, or asked for something newer in its place. */
export class Stopped extends Error {
  override readonly name = "Stopped";
}

/** What a computation failed with, in the worker. */
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
 * Has something computed off the page. One computation runs at a time, in the order asked for, so that times are not
 * those of two that share a processor.
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
      // What a reader's code has done there (other kernels, threads that run) is nobody else's concern.
      if (first.request.task === "runCode") terminateWorker();
      if (data.kind === "done") first.resolve(data.value);
      else first.reject(new Failed(data.failure));
      begin();
    }
  };
  // It did not load, or ended outside any task.
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
  // It hears nothing while it computes.
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
