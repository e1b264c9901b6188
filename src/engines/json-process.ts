import { spawn } from "node:child_process";
import { onExit } from "../files/on-exit.js";
import { DeviceError } from "../index.js";

/** The prefix of an answer; other lines are output of libraries. */
const MARK = "spectral-norm:";
/** Chosen: more characters than any answer has. */
const LONGEST_LINE = 2 ** 16;
/** Chosen: characters of standard error that are kept, from the end. */
const KEPT = 2 ** 13;
/** Chosen: time to exit after SIGTERM, and for pipes to close after the exit. */
const PATIENCE_MS = 2000;

/** A JSON object written by the process. */
export type Answer = Readonly<Record<string, unknown>>;

interface ProcessEnd {
  /** undefined after a signal */
  readonly status: number | undefined;
  /** the last message on standard error, in one line; empty if there is none */
  readonly complaint: string;
}

/**
 * Runs a program that writes JSON lines with a prefix, and waits for its end. Its standard input stays open as long as
 * this process lives, so that it notices the end of this process, which also terminates it.
 *
 * The package execa does not fit: it limits the whole run instead of silence, and waits for all pipes, which a descendant
 * of the program may hold open.
 *
 * @param silenceMs  the longest time without any output
 * @param onAnswer  gets each answer as it comes
 * @throws DeviceError if it cannot be started, is silent for too long, or writes invalid JSON
 */
export async function runJsonProcess(
  [program, ...argv]: readonly string[],
  environment: NodeJS.ProcessEnv,
  silenceMs: number,
  onAnswer: (answer: Answer) => void,
): Promise<ProcessEnd> {
  const child = spawn(program, argv, { stdio: "pipe", env: environment });
  let failure: string | undefined;
  let complaints = "";
  let line = "";
  let silence: NodeJS.Timeout | undefined;
  const kill = (why: string) => {
    failure ??= why;
    child.kill("SIGTERM");
    setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS).unref();
  };
  let over = false;
  const restartTimer = () => {
    clearTimeout(silence);
    if (over) return;
    silence = setTimeout(() => kill(`has written nothing for ${silenceMs / 1000} s`), silenceMs);
  };
  const handleLine = (text: string) => {
    if (!text.startsWith(MARK)) return;
    try {
      const answer: unknown = JSON.parse(text.slice(MARK.length));
      if (typeof answer !== "object" || answer === null) throw new SyntaxError();
      onAnswer(answer as Answer);
    } catch (error) {
      kill(error instanceof SyntaxError ? "writes invalid JSON" : String(error));
    }
  };
  const cancel = onExit(() => child.kill("SIGTERM"));
  try {
    restartTimer();
    child.on("exit", () => {
      over = true;
      restartTimer();
    });
    // A process that has ended is reported as such.
    child.stdin.on("error", () => {});
    child.stdin.write("\n");
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaints = (complaints + text).slice(-KEPT);
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      restartTimer();
      const lines = (line + text).split("\n");
      line = lines.pop() ?? "";
      for (const one of lines) handleLine(one);
      if (line.length > LONGEST_LINE) kill("answers without an end");
    });
    const { status, missing } = await ended(child);
    if (missing !== undefined) throw new DeviceError(`${program} cannot be run (${missing})`);
    if (failure !== undefined)
      throw new DeviceError(`${program} ${failure}${inBrackets(saidLast(complaints))}`);
    return { status, complaint: saidLast(complaints) };
  } finally {
    clearTimeout(silence);
    cancel();
    child.stdin.destroy();
  }
}

export function inBrackets(text: string): string {
  return text === "" ? "" : ` (${text})`;
}

function ended(child: ReturnType<typeof spawn>): Promise<{ status?: number; missing?: string }> {
  return new Promise((resolve) => {
    child.on("error", (error: NodeJS.ErrnoException) =>
      resolve({ missing: error.code === "ENOENT" ? "no such program" : (error.code ?? error.message) }),
    );
    child.on("close", (status) => resolve({ ...(status !== null && { status }) }));
    child.on("exit", (status) => {
      // A descendant may hold the pipes open indefinitely.
      setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        resolve({ ...(status !== null && { status }) });
      }, PATIENCE_MS).unref();
    });
  });
}

/**
 * The last message. Open MPI frames messages by rules: of the last framed message, the first paragraph.
 */
function saidLast(text: string): string {
  const boxes = text.split(/^-{20,}$/m).map((part) => part.trim());
  const boxed =
    boxes.length > 2
      ? boxes
          .slice(1)
          .filter((part) => part !== "")
          .at(-1)
      : undefined;
  const said = boxed?.split(/\n\s*\n/)[0] ?? text.trim().split("\n").at(-1) ?? "";
  return said.replace(/\s+/g, " ").trim().slice(0, 300);
}
