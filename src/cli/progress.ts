import { Presets, SingleBar } from "cli-progress";
import { columnsOf, shortened } from "./fit.js";

/** A progress bar on a terminal, and nothing anywhere else. */
export interface Progress {
  show(phase: string, label: string, done: number, total: number): void;
  /** Removes the bar from the screen, so that another line can be written. */
  clear(): void;
  end(): void;
}

/** A progress bar that is never shown. */
export const NO_PROGRESS: Progress = { show() {}, clear() {}, end() {} };

/** The bar for `stream`; does nothing unless the stream is a terminal. */
export function progressOn(stream: NodeJS.WriteStream): Progress {
  if (!stream.isTTY) return NO_PROGRESS;
  const bar = new SingleBar(
    {
      stream,
      format: "{phase} {bar} {label}",
      barsize: 24,
      clearOnComplete: true,
      // The cursor would stay hidden after an interrupt.
      hideCursor: null,
      forceRedraw: true,
    },
    Presets.shades_classic,
  );
  let running = false;
  const stop = () => {
    if (running) bar.stop();
    running = false;
  };
  return {
    show(phase, label, done, total) {
      if (!running) bar.start(total, done, { phase, label });
      running = true;
      bar.setTotal(total);
      // The bar and what is around it take 40 columns.
      const fitting = shortened(label, Math.max(8, columnsOf(stream) - 40));
      bar.update(done, { phase: phase.padEnd(12), label: fitting.padEnd(32) });
    },
    clear: stop,
    end: stop,
  };
}
