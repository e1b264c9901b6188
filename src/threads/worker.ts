import { DeviceError, UnsupportedError } from "../matrix/errors.js";
import { messageOf } from "./failure.js";

/** What Node's workers and a browser's have in common, as far as it is used here. */
export interface Thread {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /**
   * Every message from it; that it could not start, has failed or has ended comes as a failure, perhaps twice, with what
   * it has thrown as the cause.
   */
  listen(onMessage: (message: unknown) => void, onFailure: (why: string, cause?: unknown) => void): void;
  /** From here on it does not keep the process alive. */
  release(): void;
  /** It keeps the process alive again: something is awaited of it. */
  hold(): void;
  end(): Promise<void>;
}

interface NodeWorker {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  on(event: "message", listener: (message: unknown) => void): void;
  /** an error that is not caught there is whatever was thrown */
  on(event: "error" | "messageerror", listener: (error: unknown) => void): void;
  on(event: "exit", listener: (code: number) => void): void;
  terminate(): Promise<number>;
  ref(): void;
  unref(): void;
}

interface NodeThreads {
  Worker: new (
    script: string,
    options: { eval: true; name: string; execArgv: string[]; env: Record<string, string> },
  ) => NodeWorker;
}

interface NodeSystem {
  availableParallelism(): number;
}

/** One of Node's own modules, where this is Node; not imported, which bundlers for browsers would stumble over. */
function nodeModule<T>(name: string): T | undefined {
  if (typeof process === "undefined" || !process.versions?.node) return undefined;
  const { getBuiltinModule } = process;
  if (!getBuiltinModule)
    throw new UnsupportedError(
      `startThreads: needs Node 20.16 or later, or a browser's workers; this is Node ${process.versions.node}`,
    );
  return getBuiltinModule(name) as unknown as T;
}

/** The cores that this program may use. */
export function cores(): number {
  const system = nodeModule<NodeSystem>("node:os");
  if (system) return system.availableParallelism();
  return typeof navigator === "undefined" ? 1 : (navigator.hardwareConcurrency ?? 1);
}

/** Whether threads can share memory: everywhere in Node, in a browser only those of an isolated page. */
export function mayShare(): boolean {
  if (typeof SharedArrayBuffer === "undefined") return false;
  return nodeModule("node:worker_threads") !== undefined || globalThis.crossOriginIsolated !== false;
}

/** Whether this very thread may wait for others: all of Node's and a browser's workers, but not a page. */
export function mayBlock(): boolean {
  try {
    // The value is another one, so that it does not come to waiting.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
}

/**
 * A thread that runs `script`, a classic script in which `nodePort` is the way to its parent (undefined in a
 * browser, where `self` is). It keeps Node alive until it is released.
 *
 * @throws UnsupportedError where there are no workers; DeviceError where one is refused at once
 */
export function startThread(script: string, name: string): Thread {
  const node = nodeModule<NodeThreads>("node:worker_threads");
  try {
    if (node) return nodeThread(node, script, name);
    if (typeof Worker !== "undefined") return browserThread(script, name);
  } catch (error) {
    throw new DeviceError(`startThreads: no thread could be started: ${messageOf(error)}`, { cause: error });
  }
  throw new UnsupportedError("startThreads: this environment has no workers");
}

function nodeThread({ Worker }: NodeThreads, script: string, name: string): Thread {
  const worker = new Worker(`const nodePort = require("node:worker_threads").parentPort;\n${script}`, {
    eval: true,
    name,
    // Those of the process may preload the user's own modules, or make the script one.
    execArgv: [],
    env: {},
  });
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    listen(onMessage, onFailure) {
      worker.on("message", onMessage);
      worker.on("error", (error) => onFailure(messageOf(error), error));
      worker.on("messageerror", (error) => onFailure(messageOf(error), error));
      worker.on("exit", (code) => onFailure(`it has ended with code ${code}`));
    },
    release: () => worker.unref(),
    hold: () => worker.ref(),
    async end() {
      worker.ref();
      await worker.terminate();
    },
  };
}

function browserThread(script: string, name: string): Thread {
  const url = URL.createObjectURL(
    new Blob([`const nodePort = undefined;\n${script}`], { type: "text/javascript" }),
  );
  const worker = new Worker(url, { name });
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    listen(onMessage, onFailure) {
      // By its first message the script has been read.
      worker.onmessage = ({ data }) => {
        URL.revokeObjectURL(url);
        onMessage(data);
      };
      worker.onerror = (event) => {
        URL.revokeObjectURL(url);
        const { message, lineno, colno } = event;
        // A script that may not run comes as an event without a message.
        if (message === undefined)
          onFailure("its script may not run (a content policy without worker-src blob:)");
        else onFailure(message, event.error ?? new Error(`${message} (line ${lineno}, column ${colno})`));
      };
      worker.onmessageerror = () => onFailure("its answer could not be read");
    },
    release() {},
    hold() {},
    async end() {
      URL.revokeObjectURL(url);
      worker.terminate();
    },
  };
}
