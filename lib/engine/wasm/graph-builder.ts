import { type Constant, type Graph, type Node, type Value, valuesOf } from '../trace/graph.ts';

/** What a new node makes. */
type Made = { readonly shape: readonly number[]; readonly attributes?: Node['attributes'] };

/** A graph that takes the place of another: its nodes are kept, or are put into other terms. */
export class GraphBuilder {
  readonly #before: Graph;
  readonly #prefix: string;
  readonly #values: Map<string, Value>;
  readonly #constants: Map<string, Constant>;
  readonly #nodes: Node[] = [];

  /** @param prefix of the names of new values */
  constructor(before: Graph, prefix: string) {
    this.#before = before;
    this.#prefix = prefix;
    this.#values = new Map(valuesOf(before));
    this.#constants = new Map(before.constants);
  }

  get graph(): Graph {
    return { ...this.#before, nodes: this.#nodes, constants: this.#constants };
  }

  /** A value of either graph; undefined if neither has it. */
  find(name: string): Value | undefined {
    return this.#values.get(name);
  }

  /** A constant of either graph; undefined of any other value. */
  constantOf(name: string): Constant | undefined {
    return this.#constants.get(name);
  }

  /** The value that an input of a node is. */
  input({ op, inputs }: Node, place: number): Value {
    const value = this.#values.get(inputs[place] ?? '');
    if (value === undefined) throw new Error(`${op} has no input ${place}`);
    return value;
  }

  /** Keeps a node as it is. */
  keep(node: Node): void {
    this.#nodes.push(node);
  }

  /** Adds a node, and a value that it makes of others. */
  node(op: string, inputs: readonly Value[], { shape, attributes = {} }: Made): Value {
    const name = `${this.#prefix}_${this.#nodes.length}`;
    const output: Value = { name, type: 'float32', shape };
    this.#nodes.push({
      op,
      inputs: inputs.map((each) => each.name),
      outputs: [output],
      attributes,
    });
    this.#values.set(name, output);
    return output;
  }

  /** Lets a value be what a node of the other graph made. */
  replace(output: Value, { name }: Value): void {
    const inputs = [name, this.integers(output.shape).name];
    this.#nodes.push({ op: 'Reshape', inputs, outputs: [output], attributes: {} });
  }

  transpose(x: Value, perm: readonly number[]): Value {
    const shape = perm.map((axis) => x.shape[axis] ?? 1);
    return this.node('Transpose', [x], { shape, attributes: { perm } });
  }

  reshape(x: Value, shape: readonly number[]): Value {
    return this.node('Reshape', [x, this.integers(shape)], { shape });
  }

  integers(data: readonly number[]): Value {
    return this.constant('int64', Int32Array.from(data), [data.length]);
  }

  constant(type: Value['type'], data: Constant['data'], shape: readonly number[]): Value {
    const name = `${this.#prefix}_constant_${this.#constants.size}`;
    const constant = { name, type, shape, data };
    this.#constants.set(name, constant);
    return constant;
  }
}
