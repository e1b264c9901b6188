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
    // Node.js takes a write that was cut short, such as the last one on a full disk, for a complete one.
    try {
      writeAll(1, Buffer.from(text));
    } catch (error) {
      endWith(error);
    }
  },
};

/** Handles errors of the standard streams. Call it once, before anything is written. */
export function watchStandardStreams(): void {
  process.stdout.on("error", endWith);
  process.stderr.on("error", (error: NodeJS.ErrnoException) => {
    if (isClosedPipe(error)) process.exit();
    // Other errors cannot be reported anywhere, and results do not go to standard error.
  });
}

function endWith(error: unknown): never {
  if (isClosedPipe(error)) process.exit();
  // Removes a progress bar from the line.
  const clear = process.stderr.isTTY ? "\r\u001b[2K" : "";
  process.stderr.write(`${clear}spectral-norm: ${new OutputError("standard output", error).message}\n`);
  process.exit(CANNOT_WRITE);
}

/** A reader that closes the pipe early, such as `head`, is not an error. */
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
