// A thread that reads its share of memory at each turn; contenders/reading.ts orders it.
import { parentPort, workerData } from "node:worker_threads";
import { reader, type Share, TURN } from "../contenders/reading.js";

const turn = workerData as Int32Array;

parentPort?.on("message", (share: Share) => {
  const read = reader(share);
  const ordered = Atomics.load(turn, TURN.ordered);
  parentPort?.postMessage("ready");
  Atomics.wait(turn, TURN.ordered, ordered);
  const loops = Atomics.load(turn, TURN.loops);
  for (let i = 0; i < loops; i++) read();
  Atomics.add(turn, TURN.finished, 1);
  Atomics.notify(turn, TURN.finished);
});
