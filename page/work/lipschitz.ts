import type { BoundedModel } from "../../src/lipschitz/report/bounded-model.js";
import type { PathFile } from "./path-file.js";
import type { Task } from "./task.js";

/** What is bounded. */
export interface NetworkRequest {
  /** a model, and the files that it names */
  readonly files: readonly PathFile[];
  /** shapes of inputs as the reader typed them, such as "x=1x3x32x32"; empty for those in the file */
  readonly shapes: string;
}

export interface FoundBounds {
  readonly model: BoundedModel;
  /** other models among the files, which were not read */
  readonly others: readonly string[];
}

/** Proven bounds on the Lipschitz constants of a network. What reads the formats is loaded when there is such a file. */
export const lipschitz: Task<NetworkRequest, FoundBounds> = async (request, report) => {
  const { networkAmong } = await import("./network-among.js");
  return networkAmong(request, report);
};
