import { FileError, SpectralNormError } from "../matrix/errors.js";
import type { Folder } from "./folder.js";
import { type OnnxItem, type OnnxScope, readOnnxGraph } from "./onnx-graph.js";
import { MissingFile, NumberPlaces, overlapping } from "./onnx-places.js";
import { OnnxWeights } from "./onnx-weights.js";
import { ProtobufReader } from "./protobuf.js";
import type { ByteSource } from "./source.js";
import type { TensorEntry } from "./tensor.js";
import { quote } from "./text.js";

/** Keys of the fields of a `ModelProto` that may follow its version. */
const SECOND_KEYS: readonly number[] = [0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72, 0xa2, 0xca];

/** Whether these first bytes are those of an ONNX model, which has no signature: its version, and a second field. */
export function isOnnx(head: Uint8Array): boolean {
  return (
    head.length > 2 && head[0] === 0x08 && head[1] > 0 && head[1] < 0x80 && SECOND_KEYS.includes(head[2])
  );
}

/**
 * The tensors of an ONNX model, in the order of the file: initializers and the values of `Constant` nodes, of subgraphs and
 * functions as well. Nothing but the structure is read.
 *
 * | stored | read as |
 * |---|---|
 * | FLOAT, DOUBLE | themselves |
 * | FLOAT16, BFLOAT16 | their bits, in a `Uint16Array` |
 * | COMPLEX64, COMPLEX128 | real and imaginary parts in turn |
 * | integers of 2 to 32 bits, floats of 4 and 8, if the network dequantizes them | float32; see `dequantizationOf` |
 * | anything else | left out, by name if it has two axes or more |
 *
 * The operators that use a tensor say what it is. The kernel of a `ConvTranspose`, [in, out, h, w], is out×(in·h·w). A
 * constant of `MatMul` with more than two axes, and the weights of `LSTM`, `GRU` and `RNN`, are one matrix for each leading
 * index, `name[0]`, `name[1]`, …. What is added or multiplied entry by entry is left out. Scales and
 * zero points of quantized tensors have no entry.
 *
 * A tensor fails, and the others do not, if its numbers are not as many as its shape takes, are in a file that is
 * missing, too short or outside the model's folder, or overlap those of another tensor there.
 *
 * Format: https://github.com/onnx/onnx/blob/main/docs/IR.md
 *
 * @param source  where the structure is read
 * @param again  the same file, opened for the numbers of one tensor and closed with it
 * @param folder  where files of external data are
 * @throws FileError if it is no ONNX model, or has more than 1048576 nodes or tensors
 */
export function readOnnx(source: ByteSource, again: () => ByteSource, folder: Folder): TensorEntry[] {
  const model = readOnnxGraph(new ProtobufReader(source));
  const places = new NumberPlaces(source, again, folder);
  const weights = new OnnxWeights(model, places);
  const overlaps = overlapping(model.items);
  const names = namesOf(model.items);
  return model.items.flatMap((item, i): TensorEntry[] => {
    const { name, repeated } = names[i];
    try {
      const other = overlaps.get(item);
      if (other !== undefined) throw new FileError(`its external data overlaps that of ${quote(other)}`);
      if (repeated) throw new FileError("is there a second time under the same name");
      return weights.entriesOf(item, name);
    } catch (error) {
      if (!(error instanceof SpectralNormError)) throw error;
      return [{ kind: "failed", name, error, ...(error instanceof MissingFile && { group: error.message }) }];
    }
  });
}

interface ItemName {
  readonly name: string;
  /** whether another tensor of the same graph has it */
  readonly repeated: boolean;
}

/** A name of its own for every item; those of two subgraphs may be the same in the model. */
function namesOf(items: readonly OnnxItem[]): ItemName[] {
  const given = new Set<string>();
  const counts = new Map<string, number>();
  const ofScope = new Map<OnnxScope, Set<string>>();
  return items.map(({ name, scope }) => {
    const own = ofScope.get(scope) ?? new Set();
    const repeated = own.has(name);
    ofScope.set(scope, own.add(name));
    const full = given.has(name) && scope.path !== "" ? `${scope.path}/${name}` : name;
    let unique = full;
    for (let k = (counts.get(full) ?? 1) + 1; given.has(unique); k++) {
      unique = `${full} #${k}`;
      counts.set(full, k);
    }
    given.add(unique);
    return { name: unique, repeated };
  });
}
