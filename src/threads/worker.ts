import { messageOf } from "../matrix/error-message.js";
import { DeviceError, UnsupportedError } from "../matrix/errors.js";

/** A worker of Node or of a browser. */
export interface Thread {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /**
   * `onMessage` gets every message. `onFailure` is called, perhaps more than once, when the thread could not start, has
   * failed or has ended; `cause` is what it threw.
   */
  listen(onMessage: (message: unknown) => void, onFailure: (why: string, cause?: unknown) => void): void;
  /** Lets the process end while the thread runs. */
  release(): void;
  /** Keeps the process alive again, as long as an answer is awaited. */
  hold(): void;
  end(): Promise<void>;
}

interface NodeWorker {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  on(event: "message", listener: (message: unknown) => void): void;
  /** an uncaught error arrives as the value that was thrown */
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

/** A built-in module in Node, undefined elsewhere. An `import` would fail in bundlers for browsers. */
function nodeModule<T>(name: string): T | undefined {
  if (typeof process === "undefined" || !process.versions?.node) return undefined;
  const { getBuiltinModule } = process;
  if (!getBuiltinModule)
    throw new UnsupportedError(
      `startThreads: needs Node 20.16 or later, or a browser's workers; this is Node ${process.versions.node}`,
    );
  return getBuiltinModule(name) as unknown as T;
}

/** Number of cores that this program may use. */
export function cores(): number {
  const system = nodeModule<NodeSystem>("node:os");
  if (system) return system.availableParallelism();
  return typeof navigator === "undefined" ? 1 : (navigator.hardwareConcurrency ?? 1);
}

/** Whether threads can share memory: always in Node, in browsers only if the page is cross-origin isolated. */
export function canShareMemory(): boolean {
  if (typeof SharedArrayBuffer === "undefined") return false;
  return nodeModule("node:worker_threads") !== undefined || globalThis.crossOriginIsolated !== false;
}

/** Whether this thread may block: every thread in Node and a browser's workers, but not a page. */
export function canBlock(): boolean {
  try {
    // Returns at once, because the value differs; throws where waiting is not allowed.
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts a thread that runs `script`, a classic script. In Node `nodePort` is its port to the parent; in a browser
 * `nodePort` is undefined and the port is `self`. The thread keeps Node alive until it is released.
 *
 * @throws UnsupportedError if there are no workers; DeviceError if one cannot be created
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
    // The process's own options might preload the user's modules, or run the script as a module.
    execArgv: [],
    env: {},
  });
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    listen(onMessage, onFailure) {
      worker.on("message", onMessage);
      worker.on("error", (error) => onFailure(messageOf(error), error));
      worker.on("messageerror", (error) => onFailure(messageOf(error), error));
      worker.on("exit", (code) => onFailure(`it ended with code ${code}`));
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
      // The first message shows that the script has been loaded.
      worker.onmessage = ({ data }) => {
        URL.revokeObjectURL(url);
        onMessage(data);
      };
      worker.onerror = (event) => {
        URL.revokeObjectURL(url);
        const { message, lineno, colno } = event;
        // If the script may not run, the event has no message.
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
