import { messageOf } from "../matrix/error-message.js";
import { DeviceError } from "../matrix/errors.js";
import { project, rotate, subtract } from "./shaders/basis.js";
import { BINDING } from "./shaders/common.js";
import type { Reading } from "./shaders/load-entry.js";
import { multiply, multiplyTransposed, reduce, type VectorBuffer } from "./shaders/multiply.js";
import { rankOne } from "./shaders/rank-one.js";
import { scan } from "./shaders/scan.js";

/** A compiled routine. */
export interface Program {
  readonly pipeline: GPUComputePipeline;
}

/** A routine with its parameters of compilation. */
type Routine =
  | { name: "multiply"; reading: Reading; from: VectorBuffer; to: VectorBuffer; lanes: number }
  | { name: "multiplyTransposed"; reading: Reading; from: VectorBuffer; lanes: number }
  | { name: "reduce"; to: VectorBuffer }
  | { name: "project"; pass: number }
  | { name: "subtract"; pass: number }
  | { name: "rotate" }
  | { name: "scan"; flipped: boolean }
  | { name: "rankOne" };

function sourceOf(routine: Routine): string {
  switch (routine.name) {
    case "multiply":
      return multiply(routine.reading, routine.from, routine.to);
    case "multiplyTransposed":
      return multiplyTransposed(routine.reading, routine.from);
    case "reduce":
      return reduce(routine.to);
    case "project":
      return project(routine.pass);
    case "subtract":
      return subtract(routine.pass);
    case "rotate":
      return rotate;
    case "scan":
      return scan(routine.flipped);
    case "rankOne":
      return rankOne;
  }
}

/** The routines of one device, each compiled on first use. */
export class Programs {
  readonly layout: GPUBindGroupLayout;
  readonly #device: GPUDevice;
  readonly #pipelineLayout: GPUPipelineLayout;
  readonly #compiled = new Map<string, Promise<Program>>();

  constructor(device: GPUDevice) {
    const COMPUTE = 4;
    this.#device = device;
    this.layout = device.createBindGroupLayout({
      entries: Object.entries(BINDING).map(([name, binding]) => ({
        binding,
        visibility: COMPUTE,
        buffer:
          name === "params"
            ? { type: "uniform", hasDynamicOffset: true }
            : { type: name === "matrix" ? "read-only-storage" : "storage" },
      })),
    });
    this.#pipelineLayout = device.createPipelineLayout({ bindGroupLayouts: [this.layout] });
  }

  get(routine: Routine): Promise<Program> {
    const key = JSON.stringify(routine);
    let program = this.#compiled.get(key);
    if (!program) {
      program = this.#compile(routine);
      this.#compiled.set(key, program);
      program.catch(() => this.#compiled.delete(key));
    }
    return program;
  }

  async #compile(routine: Routine): Promise<Program> {
    const module = this.#device.createShaderModule({ label: routine.name, code: sourceOf(routine) });
    const constants: Record<string, number> = "lanes" in routine ? { LANES: routine.lanes } : {};
    try {
      const pipeline = await this.#device.createComputePipelineAsync({
        label: routine.name,
        layout: this.#pipelineLayout,
        compute: { module, entryPoint: "main", constants },
      });
      return { pipeline };
    } catch (error) {
      throw new DeviceError(`device: compiling ${routine.name} failed: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}

const ofDevice = new WeakMap<GPUDevice, Programs>();

export function programsOf(device: GPUDevice): Programs {
  let programs = ofDevice.get(device);
  if (!programs) {
    programs = new Programs(device);
    ofDevice.set(device, programs);
  }
  return programs;
}
