import type { WeightTensor } from "../files/tensor.js";
import { partsOfName } from "./name-parts.js";

/** What optimizers of PyTorch keep for a parameter; none of these names a layer. */
const SLOTS =
  /^(exp_avg|exp_avg_sq|max_exp_avg_sq|exp_avg_diff|exp_avg_sq_row|exp_avg_sq_col|exp_inf|momentum_buffer|square_avg|grad_avg|acc_delta)$/;

/** Names under which files keep an optimizer's state beside a model. */
const OPTIMIZER = /^(optim|optimizers?|optimizer_(weights|variables|slot)|opt(imizer)?_states?(_dicts?)?)$/i;

/** Optimizers by the names that Keras gives their variables, and the parts of these for what they keep. */
const NAMED =
  /^(adam|adamw|adamax|nadam|sgd|rmsprop|adagrad|adadelta|adafactor|ftrl|lion|lamb|lars)(_\d+)?$/i;
const KEPT =
  /^(m|v|vhat|rms|mg|momentum|velocity|accumulators?|accum_grad|accum_var|.+_(momentum|velocity|velocity_hat|accumulator|average))$/i;

/** What TensorFlow appends to the name of a variable; the second has a number. */
const APPENDED =
  /^(Adam|AdamW|AdaMax|Nadam|LAMB|Momentum|RMSProp|Adagrad|Adadelta|Ftrl|adam_m|adam_v|lamb_m|lamb_v)(_\d+)?$/;

const GRADIENT = /^(main_)?grad(ient)?$/;
const GRADIENTS = /^(grads|gradients)$/;

/** Wrappers of a whole model in names, which differ between the weights and their averages. */
const WRAPPER = /^(model|module|net|network|state_dict|params|online|online_model|student|generator)$/;

const AVERAGES =
  /^(ema|ema_model|model_ema|module_ema|net_ema|ema_net|ema_state_dict|params_ema|averaged_model|swa_model|shadow_params)$/i;
const OF_AVERAGE = /^ema_|_ema$/i;
const APPENDED_AVERAGE = /^(ExponentialMovingAverage|EMA)$/;

const OPTIMIZERS = "is what an optimizer keeps, by its name";
const AVERAGE = "is a moving average of another tensor, by its name";

/**
 * The tensors that training leaves in a file beside the weights, by their names, and why each is left out: the state of
 * an optimizer, gradients, and moving averages of weights that are there as well. A file with nothing but averages has
 * none: they are its weights. Nor is a tensor one that a graph uses.
 */
export function trainingStateIn(tensors: readonly WeightTensor[]): ReadonlyMap<WeightTensor, string> {
  const found = new Map<WeightTensor, string>();
  const weights = new Map<string, WeightTensor>();
  /** those that are one only if the weight that they belong to is there */
  const perhaps: [WeightTensor, string, string[]][] = [];
  for (const tensor of tensors) {
    const parts = partsOfName(tensor.name);
    if (tensor.use) weights.set(keyOf(parts), tensor);
    else {
      const state = stateByName(parts);
      const average = state ? undefined : withoutAverage(parts);
      const kept = state || average ? undefined : withoutKept(parts);
      if (state) found.set(tensor, state);
      else if (average) perhaps.push([tensor, AVERAGE, average]);
      else if (kept) perhaps.push([tensor, OPTIMIZERS, kept]);
      if (!state && !average) weights.set(keyOf(parts), tensor);
    }
  }
  for (const [tensor, reason, parts] of perhaps) {
    const weight = weights.get(keyOf(parts));
    if (weight && weight.shape.join() === tensor.shape.join()) found.set(tensor, reason);
  }
  return found;
}

/** What a tensor is whose name alone says that it is no weight. */
function stateByName(parts: readonly string[]): string | undefined {
  const [first = "", second = ""] = parts;
  const last = parts.at(-1) ?? "";
  if (parts.length < 2) return undefined;
  if (GRADIENT.test(last) || GRADIENTS.test(first)) return "is a gradient, by its name";
  const named = first === "training" ? parts.slice(1) : parts;
  const kept =
    parts.slice(0, -1).some((part) => OPTIMIZER.test(part)) ||
    parts.some((part) => SLOTS.test(part)) ||
    APPENDED.test(last) ||
    (named.length > 1 && NAMED.test(named[0]) && (KEPT.test(named[1]) || KEPT.test(last))) ||
    // PyTorch's own dictionary of states: state.0.exp_avg.
    (parts.length === 3 && first === "state" && /^\d+$/.test(second) && !/^(weight|bias|kernel)$/.test(last));
  return kept ? OPTIMIZERS : undefined;
}

/** The parts without that which says that it is an average; undefined if none does. */
function withoutAverage(parts: readonly string[]): string[] | undefined {
  const wrapper = parts.slice(0, Math.min(2, parts.length - 1)).findIndex((part) => AVERAGES.test(part));
  if (wrapper >= 0) return parts.toSpliced(wrapper, 1);
  if (parts.length > 1 && APPENDED_AVERAGE.test(parts[parts.length - 1])) return parts.slice(0, -1);
  if (!parts.some((part) => OF_AVERAGE.test(part))) return undefined;
  return parts.map((part) => part.replace(OF_AVERAGE, ""));
}

/** TensorFlow.js calls what an optimizer keeps of a weight NAME "NAME/m" and the like. */
function withoutKept(parts: readonly string[]): string[] | undefined {
  return parts.length > 1 && KEPT.test(parts[parts.length - 1]) ? parts.slice(0, -1) : undefined;
}

/** The same for a weight and its average: without wrappers, and without dots, which some averages do not keep. */
function keyOf(parts: readonly string[]): string {
  let from = 0;
  while (from < parts.length - 1 && WRAPPER.test(parts[from])) from++;
  return parts.slice(from).join("");
}
