/** What a tensor of an adapter is, by its name. */
export interface LoraPart {
  /** the layer that the pair belongs to, as the file has it */
  readonly module: string;
  /** PEFT's name of the adapter, if the tensor's name has it */
  readonly adapter: string | undefined;
  /** A and B are the factors, B on the left; the others belong to what is more than the product of two */
  readonly part: "A" | "B" | "alpha" | "magnitude" | "mid" | "E";
  readonly style: "peft" | "kohya";
  /** whether the layer is an embedding, whose weight is the transpose of the product */
  readonly embedding: boolean;
}

const KOHYA: Readonly<Record<string, LoraPart["part"]>> = {
  down: "A",
  up: "B",
  mid: "mid",
  alpha: "alpha",
  dora_scale: "magnitude",
};

/**
 * The part of a LoRA pair that a name stands for: PEFT's `X.lora_A.weight` and `X.lora_A.NAME.weight`,
 * `X.lora_embedding_A` and `X.lora_magnitude_vector`; kohya's `X.lora_down.weight`, `X.lora_up.weight`, `X.lora_mid.weight`,
 * `X.alpha` and `X.dora_scale`, and diffusers' `X_lora.down.weight` and `X.lora_linear_layer.down.weight`.
 */
export function loraPart(name: string): LoraPart | undefined {
  const peft =
    /^(.+)\.lora_(embedding_)?([ABE]|magnitude_vector)(?:\.(?!bias$)([^.]+?))??(?:\.weight)?$/.exec(name);
  if (peft) {
    const [, module, embedding, part, adapter] = peft;
    return {
      ...{ module, adapter, style: "peft", embedding: embedding !== undefined },
      part: part === "magnitude_vector" ? "magnitude" : (part as "A" | "B" | "E"),
    };
  }
  const kohya =
    /^(.+)\.lora_(down|up|mid)\.weight$/.exec(name) ??
    /^(.+?)(?:_lora|\.lora_linear_layer|\.lora)\.(down|up|mid)\.weight$/.exec(name) ??
    /^(.+)\.(alpha|dora_scale)$/.exec(name);
  if (!kohya) return undefined;
  const [, module, part] = kohya;
  return { module, adapter: undefined, style: "kohya", embedding: false, part: KOHYA[part] };
}

/** Why a tensor is left out that belongs to an update of another kind than LoRA; undefined if it does not. */
export function otherUpdate(name: string): string | undefined {
  const kinds = [
    [/\.hada_(w[12]_[ab]|t[12])$/, "LoHa"],
    [/\.lokr_(w[12](_[ab])?|t2)$/, "LoKr"],
    [/\.(oft_blocks|oft_diag|oft_[RrLl](\..*)?)$/, "OFT"],
  ] as const;
  const kind = kinds.find(([pattern]) => pattern.test(name))?.[1];
  return kind && `is part of an update by ${kind}, which is not read`;
}
