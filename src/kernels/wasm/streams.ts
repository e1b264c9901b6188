/**
 * A module of WebAssembly in three streams: the indices of local variables, the alignments and offsets of loads and
 * stores, and all other bytes. Compression finds more repeats in each than in the module, where the same operations on
 * other variables differ in every second byte.
 */

/** A place for each stream: the other bytes, the addresses, the local variables. */
export type Streams = readonly [Uint8Array, Uint8Array, Uint8Array];

const CODE_SECTION = 10;
const [LOCAL_GET, LOCAL_TEE] = [0x20, 0x22];
const [FIRST_LOAD, LAST_STORE] = [0x28, 0x3e];
const [F32_CONST, F64_CONST] = [0x43, 0x44];
const [MISCELLANEOUS, VECTOR] = [0xfc, 0xfd];
/**
 * block, loop and if, with the type of their result; br and br_if; call; global.get and global.set; memory.size and
 * memory.grow; i32.const and i64.const
 */
const HAVE_A_NUMBER = [2, 3, 4, 0x0c, 0x0d, 0x10, 0x23, 0x24, 0x3f, 0x40, 0x41, 0x42];

/** Chosen: more than any function of the kernels has. */
const MOST_LOCALS = 128;

/**
 * Copies a module into its streams, or its streams into the module.
 *
 * A local variable is stored as its place in a list of the function's variables that has the one used last first (Bentley,
 * Sleator, Tarjan & Wei, CACM 29:320, 1986).
 *
 * Format: WebAssembly Core Specification 2.0, chapter 5, of what the compiler of the kernels writes: it has no br_table,
 * and less than 128 local variables in a function.
 *
 * @param divide  true: from `module` to `streams`; false: from `streams` to `module`
 * @returns how many bytes each stream has
 */
export function copyStreams(
  module: Uint8Array,
  [others, addresses, places]: Streams,
  divide: boolean,
): [number, number, number] {
  let at = 0;
  let [other, address, place] = [0, 0, 0];
  const locals = new Uint8Array(MOST_LOCALS);

  const byte = () => {
    if (divide) others[other++] = module[at];
    else module[at] = others[other++];
    return module[at++];
  };
  const skip = (count: number) => {
    for (let i = 0; i < count; i++) byte();
  };
  /** a number in LEB128 */
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const part = byte();
      value |= (part & 127) << shift;
      if (part < 128) return value;
    }
  };
  const alignmentAndOffset = () => {
    for (let left = 2; left > 0; at++) {
      if (divide) addresses[address++] = module[at];
      else module[at] = addresses[address++];
      if (module[at] < 128) left--;
    }
  };
  const local = () => {
    if (divide) places[place] = locals.indexOf(module[at]);
    const before = places[place++];
    const index = locals[before];
    locals.copyWithin(1, 0, before);
    locals[0] = index;
    module[at++] = index;
  };
  const vectorInstruction = () => {
    const code = number();
    // v128.const and i8x16.shuffle
    if (code === 12 || code === 13) skip(16);
    else if (code < 12 || (code >= 84 && code <= 93)) alignmentAndOffset();
    // the lane of extract_lane and replace_lane, and of loads and stores of one lane
    if ((code >= 21 && code <= 34) || (code >= 84 && code <= 91)) byte();
  };
  const instruction = () => {
    const code = byte();
    if (code >= LOCAL_GET && code <= LOCAL_TEE) local();
    else if (code >= FIRST_LOAD && code <= LAST_STORE) alignmentAndOffset();
    else if (code === VECTOR) vectorInstruction();
    else if (code === F32_CONST || code === F64_CONST) skip(code === F32_CONST ? 4 : 8);
    else if (code === MISCELLANEOUS) {
      // memory.copy has the indices of two memories, memory.fill of one, and conversions nothing.
      const kind = number();
      skip(kind === 10 ? 2 : kind === 11 ? 1 : 0);
    } else if (HAVE_A_NUMBER.includes(code)) number();
  };

  skip(8);
  while (at < module.length) {
    const section = byte();
    const size = number();
    if (section !== CODE_SECTION) skip(size);
    else
      for (let functions = number(); functions > 0; functions--) {
        const bytes = number();
        const end = at + bytes;
        for (let i = 0; i < MOST_LOCALS; i++) locals[i] = i;
        for (let groups = number(); groups > 0; groups--) {
          number();
          byte();
        }
        while (at < end) instruction();
      }
  }
  return [other, address, place];
}
