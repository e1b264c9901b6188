import type { OnnxItem, OnnxModel, OnnxNode, OnnxScope } from "./onnx-graph.js";

/** Where a name is looked up: in a graph and, in the body of a function, in the graph that calls it. */
export interface OnnxContext {
  readonly scope: OnnxScope;
  readonly call?: OnnxCall | undefined;
}

interface OnnxCall {
  readonly node: OnnxNode;
  /** the function's names for its inputs */
  readonly inputs: readonly string[];
  readonly from: OnnxContext;
}

/** The body of a function, called by a node. */
export function within(
  body: OnnxScope,
  node: OnnxNode,
  inputs: readonly string[],
  from: OnnxContext,
): OnnxContext {
  return { scope: body, call: { node, inputs, from } };
}

/** Chosen: more graphs, calls and identities than a name passes through. */
const STEPS_LIMIT = 256;

/** What the names of a model stand for. */
export class OnnxNames {
  readonly #items = new Map<OnnxScope, Map<string, OnnxItem>>();
  readonly #producers = new Map<OnnxScope, Map<string, OnnxNode>>();

  constructor(model: OnnxModel) {
    for (const item of model.items) {
      const named = this.#items.get(item.scope);
      if (named) named.set(item.name, item);
      else this.#items.set(item.scope, new Map([[item.name, item]]));
    }
  }

  /** The tensor of this name, or of the one that it is an `Identity` of. */
  constant(name: string, context: OnnxContext): OnnxItem | undefined {
    const found = this.#find(name, context);
    return typeof found === "object" && "content" in found ? found : undefined;
  }

  /** The node with an output of this name, which is none of `Identity`. */
  producer(name: string, context: OnnxContext): OnnxNode | undefined {
    const found = this.#find(name, context);
    return typeof found === "object" && "operator" in found ? found : undefined;
  }

  /** Whether an input is left out, if need be by who calls the function. */
  isOmitted(name: string, context: OnnxContext): boolean {
    return this.#find(name, context) === "omitted";
  }

  #find(name: string, context: OnnxContext): OnnxItem | OnnxNode | "omitted" | undefined {
    let { scope, call }: { scope: OnnxScope | undefined; call?: OnnxCall | undefined } = context;
    for (let steps = 0; scope && steps < STEPS_LIMIT; steps++) {
      if (name === "") return "omitted";
      const item = this.#items.get(scope)?.get(name);
      if (item) return item;
      const node = this.#producersIn(scope).get(name);
      const argument = scope.outer === undefined && call ? call.inputs.indexOf(name) : -1;
      if (node?.operator === "Identity") name = node.inputs[0] ?? "";
      else if (node) return node;
      else if (call && argument >= 0) {
        name = call.node.inputs[argument] ?? "";
        ({ scope, call } = call.from);
      } else if (scope.defined.has(name)) return undefined;
      else scope = scope.outer;
    }
    return undefined;
  }

  #producersIn(scope: OnnxScope): Map<string, OnnxNode> {
    const known = this.#producers.get(scope);
    if (known) return known;
    const found = new Map<string, OnnxNode>();
    for (const node of scope.nodes) for (const output of node.outputs) found.set(output, node);
    this.#producers.set(scope, found);
    return found;
  }
}
