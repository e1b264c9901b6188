// The package signal-exit would also listen to SIGXFSZ and end the process of it. A file that grows beyond its limit has
// to remain an error of the write, which the command reports with status 3.
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Sees to it that something is undone when this process is told to end by a signal, or ends by itself, before the
 * function returned is called. After a signal the process ends of that signal, as it would have.
 *
 * Not guaranteed: anything after SIGKILL or where the machine stops.
 *
 * @param undo  synchronous
 */
export function onExit(undo: () => void): () => void {
  const take = () => {
    process.off("exit", undo);
    for (const signal of SIGNALS) process.off(signal, onSignal);
  };
  const onSignal = (signal: NodeJS.Signals) => {
    take();
    undo();
    process.kill(process.pid, signal);
  };
  process.on("exit", undo);
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return take;
}
