/** The last parts of names that belong to the quantization of a weight. */
const OF_QUANTIZATION = /scale|zero_?points?$|zeros?$|zp$|absmax|quant_(map|state)|^SCB$/i;
const OF_ACTIVATIONS =
  /(^|_)(input|activation|act|output|[qkv]|kv_cache)_(global_)?scale(_inv)?$|^scale_(input|output)$/i;

const separator = /[./]/;

export function lastPart(name: string): string {
  return name.slice(name.length - (name.split(separator).at(-1) ?? "").length);
}

/** What stands before the last part. */
export function moduleOf(name: string): string {
  return name.slice(0, Math.max(0, name.length - lastPart(name).length - 1));
}

/** Whether a name is that of a scale of activations. */
export function isOfActivations(name: string): boolean {
  return OF_ACTIVATIONS.test(lastPart(name));
}

/** Whether a tensor belongs to the quantization of a weight, by its name. */
export function isQuantization(name: string): boolean {
  return OF_QUANTIZATION.test(lastPart(name)) && !isOfActivations(name);
}
