// The package signal-exit also handles SIGXFSZ and ends the process. Exceeding the file size limit must remain an error
// of the write instead, which the command reports with status 3.
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * Calls `undo` when this process exits or receives a signal to end, unless the returned function was called before. The
 * signal then ends the process as usual.
 *
 * Not guaranteed: nothing is undone after SIGKILL.
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
