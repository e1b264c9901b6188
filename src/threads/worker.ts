import { UnsupportedError } from "../matrix/errors.js";

/** What Node's workers and a browser's have in common, as far as it is used here. */
export interface Thread {
  post(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  /** Every message from it; an error that it did not catch comes as one too. */
  listen(onMessage: (message: unknown) => void, onFailure: (why: string) => void): void;
  /** From here on it does not keep the process alive; one that something is awaited of does. */
  release(): void;
  hold(): void;
  end(): Promise<void>;
}

interface NodeWorker {
  postMessage(message: unknown, transfer?: readonly ArrayBuffer[]): void;
  on(event: "message", listener: (message: unknown) => void): void;
  on(event: "error", listener: (error: Error) => void): void;
  on(event: "exit", listener: (code: number) => void): void;
  terminate(): Promise<number>;
  ref(): void;
  unref(): void;
}

interface NodeThreads {
  Worker: new (script: string, options: { eval: true; name: string }) => NodeWorker;
}

/** Node's own threads, where this is Node. */
function nodeThreads(): NodeThreads | undefined {
  if (typeof process === "undefined" || !process.versions?.node) return undefined;
  const { getBuiltinModule } = process;
  if (!getBuiltinModule)
    throw new UnsupportedError("startThreads: needs Node 20.16 or later, or a browser's workers");
  return getBuiltinModule("node:worker_threads") as unknown as NodeThreads;
}

/**
 * Whether threads can wait for each other here: a page may not, and a browser shares memory only between isolated
 * ones.
 */
export function mayShare(): boolean {
  return typeof SharedArrayBuffer !== "undefined";
}

/** Whether this very thread may block: Node's all, in a browser a worker. */
export function mayBlock(): boolean {
  return typeof window === "undefined" || typeof document === "undefined";
}

/**
 * A thread that runs `script`, a classic script in which `nodePort` is the way to its parent (undefined in a
 * browser, where `self` is). It keeps Node alive until it is released.
 *
 * @throws UnsupportedError where there are no workers; DeviceError comes by `listen` if it cannot start
 */
export function startThread(script: string, name: string): Thread {
  const node = nodeThreads();
  if (node) {
    const worker = new node.Worker(`const nodePort = require("node:worker_threads").parentPort;\n${script}`, {
      eval: true,
      name,
    });
    return {
      post: (message, transfer) => worker.postMessage(message, transfer),
      listen(onMessage, onFailure) {
        worker.on("message", onMessage);
        worker.on("error", (error) => onFailure(error.message));
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
  if (typeof Worker === "undefined")
    throw new UnsupportedError("startThreads: this environment has no workers");
  const url = URL.createObjectURL(
    new Blob([`const nodePort = undefined;\n${script}`], { type: "text/javascript" }),
  );
  const worker = new Worker(url, { name });
  return {
    post: (message, transfer = []) => worker.postMessage(message, [...transfer]),
    listen(onMessage, onFailure) {
      worker.onmessage = ({ data }) => {
        URL.revokeObjectURL(url);
        onMessage(data);
      };
      worker.onerror = ({ message }) => {
        URL.revokeObjectURL(url);
        onFailure(message ?? "its script is not allowed to run (a content policy without worker-src blob:)");
      };
    },
    release() {},
    hold() {},
    async end() {
      worker.terminate();
    },
  };
}
