import { FileError, SpectralNormError } from "../matrix/errors.js";
import { isHdf5 } from "./hdf5.js";
import { Hdf5Weights } from "./hdf5-weights.js";
import { parseJson } from "./json.js";
import { type KerasLayer, kerasModel } from "./keras-config.js";
import { layersGroup, readLayersH5 } from "./keras-layers-h5.js";
import { readPathsH5 } from "./keras-paths-h5.js";
import { membersOf } from "./npz.js";
import type { ByteSource } from "./source.js";
import type { TensorEntry } from "./tensor.js";
import {
  inflationLimit,
  isZip,
  openUnverified,
  openZipMember,
  verifyChecksum,
  type ZipMember,
} from "./zip.js";

const WEIGHTS = "model.weights.h5";
const CONFIG = "config.json";

/** Chosen: longer than any model's configuration. */
const CONFIG_LIMIT = 2 ** 28;

/** Whether a file is HDF5, or a zip archive with a Keras model. */
export function isKeras(head: Uint8Array, source: ByteSource): boolean {
  if (!isZip(head)) return isHdf5(source);
  try {
    const names = membersOf(source).map(({ name }) => name);
    return names.includes(CONFIG) && names.some((name) => /^model.*\.weights\.(h5|json)$/.test(name));
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    return false;
  }
}

/**
 * The weights of a Keras model: an archive of Keras 3 (`.keras`), weights of Keras 3 (`.weights.h5`), or weights or a whole
 * model of Keras 2 (`.h5`). Of any other HDF5 file, all its arrays by their paths. The axes of kernels are TensorFlow's.
 * The state of the optimizer is left out, and so is what holds no floating-point numbers; int8 kernels of dense layers
 * are dequantized.
 *
 * The configuration, where there is one, says how layers use their weights: `use`, and which are tables. If it is
 * damaged, that is one failed entry, and the weights are read without it.
 *
 * @param source  where the structure is read
 * @param again  the same file, opened for the numbers of one tensor and closed with it
 * @param memory  bytes that something compressed may inflate to; default: `inflationLimit`
 * @throws FileError if it is neither, or its structure is damaged
 */
export function readKeras(source: ByteSource, again: () => ByteSource, memory?: number): TensorEntry[] {
  const head = source.read(0, Math.min(4, source.size));
  return isZip(head) ? readArchive(source, again, memory) : readH5(new Hdf5Weights(source, again, memory));
}

/** @param described  the configuration as JSON, where it is not in the file itself */
function readH5(weights: Hdf5Weights, described?: () => Uint8Array | undefined): TensorEntry[] {
  const failed: TensorEntry[] = [];
  let model: KerasLayer | undefined;
  try {
    const text = described ? described() : configIn(weights);
    if (text) model = kerasModel(parseJson(text));
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    failed.push({ kind: "failed", name: described ? CONFIG : "model_config", error });
  }
  const top = layersGroup(weights);
  if (!top) return [...failed, ...readPathsH5(weights, model)];
  const entries = readLayersH5(weights, top, model);
  const { root } = weights.container;
  if (root.links().has("optimizer_weights")) {
    const reason = "holds the state of the optimizer";
    entries.push({ kind: "left out", name: "optimizer_weights", reason });
  }
  return [...failed, ...entries];
}

function configIn({ container }: Hdf5Weights): Uint8Array | undefined {
  const [text] = container.root.texts("model_config") ?? [];
  return text === undefined ? undefined : new TextEncoder().encode(text);
}

function readArchive(source: ByteSource, again: () => ByteSource, memory: number | undefined): TensorEntry[] {
  const members = membersOf(source);
  const named = (name: string): ZipMember | undefined => {
    const found = members.filter((member) => member.name === name);
    if (found.length > 1) throw new FileError(`has its ${name} twice`);
    return found[0];
  };
  const member = named(WEIGHTS);
  if (!member)
    throw new FileError(
      named("model.weights.json")
        ? "has its weights in several files, which is not read; save it without max_shard_size"
        : `is no Keras model: it has no ${WEIGHTS}`,
    );
  const limit = inflationLimit(source, memory);
  const config = named(CONFIG);
  const open = openerOf(member, again, limit);
  const weights = new Hdf5Weights(openUnverified(source, member, limit), open, memory);
  return readH5(weights, () => {
    if (config && config.size > CONFIG_LIMIT)
      throw new FileError("is longer than the configuration of any model");
    return config && openZipMember(source, config, limit).read(0, config.size);
  });
}

/**
 * Opens the weights within the archive again. What is compressed is inflated once, and kept. The checksum is verified
 * with the first tensor, because it takes all bytes.
 */
function openerOf(member: ZipMember, again: () => ByteSource, limit: number): () => ByteSource {
  let verified = false;
  let inflated: ByteSource | undefined;
  return () => {
    if (inflated) return inflated;
    const file = again();
    try {
      const content = openUnverified(file, member, limit);
      if (!verified) verifyChecksum(content, member);
      verified = true;
      if (member.method !== 0) inflated = content;
      return { ...content, close: () => file.close() };
    } catch (error) {
      file.close();
      throw error;
    }
  };
}
