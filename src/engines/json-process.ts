import { spawn } from "node:child_process";
import { onExit } from "../files/on-exit.js";
import { DeviceError } from "../index.js";

/** What stands before an answer; other lines are of libraries, and no answers. */
const MARK = "spectral-norm:";
/** No answer is as long. */
const LONGEST_LINE = 2 ** 16;
/** Of what went to standard error the end is kept. */
const KEPT = 2 ** 13;
/** Time to end after being told to, and for pipes to close after the end. */
const PATIENCE_MS = 2000;

/** A line of JSON that the other side wrote. */
export type Answer = Readonly<Record<string, unknown>>;

export interface ProcessEnd {
  /** undefined after a signal */
  readonly status: number | undefined;
  /** what it said before it ended, in a line; empty if nothing */
  readonly complaint: string;
}

/**
 * Runs a program that answers in marked lines of JSON, and waits for its end. Its standard input stays open as long as
 * this process lives, so that it can tell. It is ended when this process is.
 *
 * What the package execa offers beyond `spawn` (waiting for all pipes, a time limit for the whole run) is not what is
 * wanted here: the limit is on silence, and something that the program started may hold its pipes open.
 *
 * @param silenceMs  how long it may say nothing at all
 * @param onAnswer  gets each answer as it comes
 * @throws DeviceError if it cannot be started, is silent for too long, or answers what is no JSON
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
  const listen = () => {
    clearTimeout(silence);
    if (over) return;
    silence = setTimeout(() => kill(`has given no sign of life for ${silenceMs / 1000} s`), silenceMs);
  };
  const hear = (text: string) => {
    if (!text.startsWith(MARK)) return;
    try {
      const answer: unknown = JSON.parse(text.slice(MARK.length));
      if (typeof answer !== "object" || answer === null) throw new SyntaxError();
      onAnswer(answer as Answer);
    } catch (error) {
      kill(error instanceof SyntaxError ? "answers what is no JSON" : String(error));
    }
  };
  const take = onExit(() => child.kill("SIGTERM"));
  try {
    listen();
    child.on("exit", () => {
      over = true;
      listen();
    });
    // One that has ended is reported as such.
    child.stdin.on("error", () => {});
    child.stdin.write("\n");
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaints = (complaints + text).slice(-KEPT);
    });
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      listen();
      const lines = (line + text).split("\n");
      line = lines.pop() ?? "";
      for (const one of lines) hear(one);
      if (line.length > LONGEST_LINE) kill("answers without an end");
    });
    const { status, missing } = await ended(child);
    if (missing !== undefined) throw new DeviceError(`${program} cannot be run (${missing})`);
    if (failure !== undefined)
      throw new DeviceError(`${program} ${failure}${inBrackets(saidLast(complaints))}`);
    return { status, complaint: saidLast(complaints) };
  } finally {
    clearTimeout(silence);
    take();
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
      // Something that it has started may hold its pipes open for as long as it likes.
      setTimeout(() => {
        child.stdout?.destroy();
        child.stderr?.destroy();
        resolve({ ...(status !== null && { status }) });
      }, PATIENCE_MS).unref();
    });
  });
}

/**
 * The last line that says something. Open MPI puts what it has to say between rules, in paragraphs: of the last of
 * those the first paragraph.
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
