import type { Order } from "../audit/audit.js";
import { type ConvolutionOptions, convolutionInput, isConvolution } from "../audit/convolution.js";
import type { JournalOrigin } from "../audit/journal.js";
import type { MeasureOptions } from "../audit/measure.js";
import type { Shard } from "../audit/shard.js";
import type { Weight } from "../audit/weight.js";
import type { KernelLayout } from "../files/tensor.js";
import { OptionError } from "../index.js";
import type { Boundary } from "../operators/convolution-form.js";

/** The options of `spectral-norm audit`, parsed. */
export interface AuditFlags extends Omit<MeasureOptions, "convolution"> {
  readonly json?: boolean;
  readonly csv?: boolean;
  readonly report?: string;
  readonly spectrum?: string;
  readonly against?: string;
  readonly base?: string;
  readonly sort?: Order;
  readonly sample?: number;
  readonly shard?: Shard;
  readonly resume?: string;
  readonly threads?: number;
  readonly conv?: "reshape" | "operator";
  readonly input?: readonly number[];
  readonly boundary?: Boundary;
  readonly layout?: KernelLayout;
  readonly embeddings?: boolean;
  readonly leftOut?: boolean;
}

/**
 * @throws OptionError if some convolution needs the size of its input, and no graph determines that of any
 */
export function requireInput(
  weights: readonly Pick<Weight, "tensor">[],
  convolution: ConvolutionOptions | undefined,
): void {
  if (!convolution) return;
  const kernels = weights.filter((weight) => isConvolution(weight, convolution));
  if (kernels.length === 0 || kernels.some((weight) => convolutionInput(weight, convolution))) return;
  throw new OptionError("--conv operator: needs the size of the input, such as --input 32x32");
}

/** @throws OptionError if the options of `--conv` do not fit together */
export function convolutionIn({ conv, input, boundary }: AuditFlags): ConvolutionOptions | undefined {
  if (conv === "operator") return { ...(input && { input }), ...(boundary && { boundary }) };
  if (input ?? boundary) throw new OptionError(`--${input ? "input" : "boundary"}: is for --conv operator`);
  return undefined;
}

/** @throws OptionError for options that exclude each other */
export function refuseConflicts({
  certify,
  maxCost,
  against,
  shard,
  resume,
  report,
  spectrum,
  spectra,
  sample,
  sort,
}: AuditFlags): void {
  if (maxCost !== undefined && !certify) throw new OptionError("--max-cost: is for --certify");
  if (against !== undefined && (shard ?? resume))
    throw new OptionError("--against: compares whole models; it excludes --shard and --resume");
  if (spectrum !== undefined && report === undefined) throw new OptionError("--spectrum: is for --report");
  if (sample !== undefined && !spectra) throw new OptionError("--sample: is for --spectra");
  if (sort === "alpha" && !spectra) throw new OptionError("--sort alpha: is for --spectra");
}

/** The options that a result depends on, as they are typed. Threads and shards change no digit. */
export function originOptions(flags: AuditFlags): JournalOrigin["options"] {
  const { certify, maxCost, top, rtol, conv, input, boundary, layout, embeddings, memory } = flags;
  const { spectra, sample, base } = flags;
  return {
    ...(base !== undefined && { "--base": base }),
    ...(certify && { "--certify": true }),
    ...(maxCost !== undefined && { "--max-cost": maxCost }),
    ...(top !== undefined && { "--top": top }),
    ...(rtol !== undefined && { "--rtol": rtol }),
    ...(conv === "operator" && { "--conv": conv }),
    ...(input && { "--input": input.join("x") }),
    ...(boundary && { "--boundary": boundary }),
    ...(layout && { "--layout": layout }),
    ...(embeddings && { "--embeddings": true }),
    ...(spectra && { "--spectra": true }),
    ...(sample !== undefined && { "--sample": sample }),
    // Without proofs and spectra it changes only the last digits, and a process that was killed may have to resume with
    // less memory.
    ...((certify || spectra) && memory !== undefined && { "--memory": memory }),
  };
}
