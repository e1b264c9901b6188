import { fstatSync } from "node:fs";
import { isatty } from "node:tty";
import { OutputError, writeAll } from "../files/writable.js";

/** The exit status where an answer could not be written; it outranks all others. */
export const CANNOT_WRITE = 3;

/**
 * Standard output. Where it cannot be written to, as on a full disk, the process ends at once, with one line on standard
 * error and exit status 3. A closed pipe ends it quietly.
 */
export const standardOutput = {
  write(text: string): void {
    if (!isFile()) {
      process.stdout.write(text);
      return;
    }
    // Node's own stream takes a write that was cut short, as the last one is on a full disk, for a whole one.
    try {
      writeAll(1, Buffer.from(text));
    } catch (error) {
      endWith(error);
    }
  },
};

/** Sees to what becomes of errors of the standard streams. To be called once, before anything is written. */
export function watchStandardStreams(): void {
  process.stdout.on("error", endWith);
  process.stderr.on("error", (error: NodeJS.ErrnoException) => {
    if (isClosedPipe(error)) process.exit();
    // There is nowhere to say anything else, and the answers are not on standard error.
  });
}

function endWith(error: unknown): never {
  if (isClosedPipe(error)) process.exit();
  // A progress bar may stand there.
  const clear = process.stderr.isTTY ? "\r\u001b[2K" : "";
  process.stderr.write(`${clear}spectral-norm: ${new OutputError("standard output", error).message}\n`);
  process.exit(CANNOT_WRITE);
}

/** A reader that has seen enough, such as `head`, is no failure. */
function isClosedPipe(error: unknown): boolean {
  const { code } = error as NodeJS.ErrnoException;
  return code === "EPIPE" || code === "ECONNRESET";
}

/** Whether standard output is a file or a device such as /dev/full, and neither a pipe nor a terminal. */
function isFile(): boolean {
  try {
    const status = fstatSync(1);
    return status.isFile() || (status.isCharacterDevice() && !isatty(1));
  } catch {
    return false;
  }
}
