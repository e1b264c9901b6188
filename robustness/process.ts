import { type ChildProcessByStdio, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Adversary } from "./adversary.js";
import type { Outcome } from "./judge.js";

interface Reply {
  readonly error?: string;
  readonly value: string;
  readonly upper?: string;
  readonly gradient: boolean;
  readonly gradientFails?: string;
  readonly warned?: boolean;
}

/**
 * A process that runs rivals, started on demand and killed when it does not answer in time. Hanging and dying are results
 * like any other.
 */
export class RivalProcess {
  readonly #command: readonly string[];
  readonly #folder: string;
  readonly #limitMs: number;
  /** whether its first line, unasked, says what it is */
  readonly #greets: boolean;
  #child: ChildProcessByStdio<Writable, Readable, null> | undefined;
  #lines: AsyncIterator<string> | undefined;

  constructor(command: readonly string[], folder: string, limitMs: number, greets: boolean) {
    this.#command = command;
    this.#folder = folder;
    this.#limitMs = limitMs;
    this.#greets = greets;
  }

  /** The versions that it reports; undefined if it cannot be started. */
  async greeting(): Promise<{ versions: Record<string, string>; python: string } | undefined> {
    const line = await this.#start();
    return line === undefined ? undefined : JSON.parse(line);
  }

  async ask(id: string, { rows, cols, entries, start }: Adversary): Promise<Outcome> {
    if (!this.#child) await this.#start();
    writeFileSync(join(this.#folder, "entries"), bytes(entries));
    if (start) writeFileSync(join(this.#folder, "start"), bytes(start));
    this.#child?.stdin.write(`${JSON.stringify({ id, rows, cols, started: start !== undefined })}\n`);
    const line = await this.#next(this.#limitMs);
    if (line === "late") {
      this.close();
      return { fails: "hangs", why: `no answer in ${this.#limitMs / 1000} s of processor time` };
    }
    if (line === undefined) {
      this.close();
      return { fails: "dies", why: "its process ended" };
    }
    const { error, value, upper, gradient, ...rest } = JSON.parse(line) as Reply;
    if (error !== undefined) return { fails: "error", why: error };
    return {
      ...rest,
      value: number(value),
      ...(upper === undefined ? {} : { upper: number(upper) }),
      ...(gradient
        ? { gradient: new Float64Array(new Uint8Array(readFileSync(join(this.#folder, "gradient"))).buffer) }
        : {}),
    };
  }

  close(): void {
    this.#child?.kill("SIGKILL");
    this.#child = undefined;
  }

  async #start(): Promise<string | undefined> {
    const [path, ...parts] = this.#command;
    const child = spawn(path, parts, { stdio: ["pipe", "pipe", "ignore"] });
    child.on("error", () => {});
    child.stdin.on("error", () => {});
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    if (!this.#greets) return undefined;
    const line = await this.#next(120_000);
    return line === "late" ? undefined : line;
  }

  /** The next line; undefined when there is none to come. */
  async #next(limitMs: number): Promise<string | "late" | undefined> {
    const line = this.#lines?.next().then(({ value, done }) => (done ? undefined : (value as string)));
    const pid = this.#child?.pid;
    const [begin, spent] = [performance.now(), cpuMs(pid) ?? 0];
    for (;;) {
      let timer: NodeJS.Timeout | undefined;
      const tick = new Promise<"tick">((resolve) => {
        timer = setTimeout(resolve, 200, "tick");
      });
      const first = await Promise.race([line, tick]);
      clearTimeout(timer);
      if (first !== "tick") return first;
      // Time given to other processes does not count, up to a limit.
      const passed = performance.now() - begin;
      const worked = cpuMs(pid);
      if (passed > limitMs * (worked === undefined ? 1 : PATIENCE)) return "late";
      if (worked !== undefined && worked - spent > limitMs) return "late";
    }
  }
}

/** Chosen: elapsed time may exceed the limit of processor time by this factor on a busy machine. */
const PATIENCE = 8;

/** Processor time of a process with its threads, in milliseconds; undefined without /proc. */
function cpuMs(pid: number | undefined): number | undefined {
  try {
    // Counted from behind the name, which may have spaces in it; in hundredths of a second.
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return 10 * (Number(fields[11]) + Number(fields[12]));
  } catch {
    return undefined;
  }
}

/** As Python and JavaScript print it. */
function number(text: string): number {
  if (/^-?inf$/.test(text)) return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return text === "nan" ? Number.NaN : Number(text);
}

function bytes({ buffer, byteOffset, byteLength }: Float64Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
