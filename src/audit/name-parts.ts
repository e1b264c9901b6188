/**
 * The parts of a tensor's name, between dots and slashes, without what says nothing of the layer: TensorFlow's number of
 * an output (":0") and names of attributes, and the index of a matrix in a stack ("[3]").
 */
export function partsOfName(name: string): string[] {
  return name
    .replace(/(:\d+|\[\d+\]|\/\.ATTRIBUTES\/VARIABLE_VALUE)$/, "")
    .split(/[./]/)
    .filter((part) => part !== "");
}
