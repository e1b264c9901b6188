import { FileError, SpectralNormError } from "../matrix/errors.js";
import { isHdf5 } from "./hdf5.js";
import { Hdf5Weights } from "./hdf5-weights.js";
import { isObject, parseJson } from "./json.js";
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
const METADATA = "metadata.json";

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
  const { weights, archive, configuration } = openKeras(source, again, memory);
  const failed: TensorEntry[] = [];
  let model: KerasLayer | undefined;
  try {
    const text = configuration();
    if (text) model = kerasModel(parseJson(text));
  } catch (error) {
    if (!(error instanceof SpectralNormError)) throw error;
    failed.push({ kind: "failed", name: archive ? CONFIG : "model_config", error });
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

/** A file of a Keras model. */
interface OpenKeras {
  readonly weights: Hdf5Weights;
  /** whether it is an archive of Keras 3 */
  readonly archive: boolean;
  /** The model's configuration as JSON; undefined if there is none. @throws FileError if it is damaged */
  configuration(): Uint8Array | undefined;
  /** The version of Keras that wrote it; undefined if that is not known. @throws FileError */
  version(): string | undefined;
}

/**
 * The parts of a Keras model in an archive of Keras 3 or an HDF5 file.
 *
 * @throws FileError if it is neither, or its structure is damaged
 */
export function openKeras(
  source: ByteSource,
  again: () => ByteSource,
  memory: number | undefined,
): OpenKeras {
  const head = source.read(0, Math.min(4, source.size));
  if (isZip(head)) return openArchive(source, again, memory);
  const weights = new Hdf5Weights(source, again, memory);
  const { root } = weights.container;
  return {
    weights,
    archive: false,
    configuration() {
      const [text] = root.texts("model_config") ?? [];
      return text === undefined ? undefined : new TextEncoder().encode(text);
    },
    version: () => root.texts("keras_version")?.[0],
  };
}

function openArchive(source: ByteSource, again: () => ByteSource, memory: number | undefined): OpenKeras {
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
  const text = (name: string) => {
    const found = named(name);
    if (found && found.size > CONFIG_LIMIT)
      throw new FileError("is longer than the configuration of any model");
    return found && openZipMember(source, found, limit).read(0, found.size);
  };
  const config = named(CONFIG);
  const open = openerOf(member, again, limit);
  return {
    weights: new Hdf5Weights(openUnverified(source, member, limit), open, memory),
    archive: true,
    configuration: () => config && text(CONFIG),
    version() {
      const metadata = text(METADATA);
      const value = metadata && parseJson(metadata);
      const version = isObject(value) ? value["keras_version"] : undefined;
      return typeof version === "string" ? version : undefined;
    },
  };
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
