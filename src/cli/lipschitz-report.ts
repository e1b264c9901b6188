import { version } from "../experiment/bundled-versions.js";
import { checkOutputs, writeOutput } from "../files/writable.js";
import type { BoundedModel } from "../lipschitz/report/bounded-model.js";
import { pageRequest } from "../report/mark.js";

/** What is gathered for the page that `--report` names. */
export class BoundsReport {
  readonly path: string;
  private readonly command: string;
  private readonly inputs: Set<string>;
  private readonly models: BoundedModel[] = [];
  private readonly faults: string[] = [];

  /**
   * @param command  as it was typed
   * @param inputs  files that the command reads
   * @throws FileError if the page must not be written there
   */
  constructor(path: string, command: string, inputs: Iterable<string>) {
    this.path = path;
    this.command = command;
    this.inputs = new Set(inputs);
    checkOutputs([pageRequest("lipschitz", path)], this.inputs);
  }

  /** Notes that a file is read, which a model names. */
  addInput(path: string): void {
    this.inputs.add(path);
  }

  addModel(model: BoundedModel): void {
    this.models.push(model);
  }

  /** @param text  a model, and why it could not be read */
  addFault(text: string): void {
    this.faults.push(text);
  }

  /** @throws FileError if it must not be written; OutputError if it cannot be */
  async write(): Promise<void> {
    const request = pageRequest("lipschitz", this.path);
    checkOutputs([request], this.inputs);
    const { lipschitzPage } = await import("../lipschitz/report/lipschitz-page.js");
    const { models, faults, command } = this;
    writeOutput(request, lipschitzPage({ models, faults, command, version: version("spectral-norm") ?? "" }));
  }
}
