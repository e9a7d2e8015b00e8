import * as tf from '@tensorflow/tfjs';
import type { Attribute, Domain, Graph, Node, Value } from './graph.ts';
import { UntraceableError } from './untraceable.ts';

/** What a tensor of the trace stands for: an input, an operator's output, or known values. */
export type TracedValue = Value & {
  readonly type: 'float32' | 'int32' | 'int64' | 'bool';
  readonly data?: Float32Array | Int32Array;
};

type DType = 'float32' | 'int32' | 'bool';

/** ONNX's number for int64, as the attribute of a Cast has it. */
const int64Code = 7;

/** Operators whose output has the type of their input. */
const movingOperators = new Set(['Reshape', 'Identity', 'Transpose', 'Slice', 'Concat', 'Tile']);

/** What an operator's output is. */
export type Recorded = { readonly shape: readonly number[]; readonly dtype: tf.DataType };
type AllRecorded = { readonly shapes: readonly (readonly number[])[]; readonly dtype: tf.DataType };

/** An operator whose inputs have no names yet. */
type UnnamedNode = Omit<Node, 'inputs' | 'domain'> & {
  readonly inputs: readonly tf.TensorInfo[];
  readonly domain?: Domain | undefined;
};

/** Settings of one recorded operator. */
export type Recording = {
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly domain?: Domain;
};

/**
 * A tfjs backend without numbers: its kernels record what tfjs asks for, as a graph of ONNX
 * operators. tfjs stays the single definition of the mathematics: layers, gradients, losses and
 * optimizers run on it unchanged. What is computed from constants alone is computed at once, on
 * tfjs' cpu backend.
 */
export class TraceBackend extends tf.KernelBackend {
  readonly #values = new Map<object, TracedValue>();
  readonly #references = new Map<object, number>();
  #nodes: Node[] = [];
  #inputs: Value[] = [];
  /** The layer that each value was made in. */
  readonly #layers = new Map<object, string>();
  #layer: string | undefined;
  #count = 0;

  /** Runs a layer; see {@link TraceBackend.layerOf}. */
  within<Result>(layer: string, run: () => Result): Result {
    const outer = this.#layer;
    this.#layer ??= layer;
    try {
      return run();
    } finally {
      this.#layer = outer;
    }
  }

  /** The layer that runs or, in a gradient, one that a tensor was made in. */
  layerOf(tensors: readonly tf.TensorInfo[]): string | undefined {
    return (
      this.#layer ?? tensors.map(({ dataId }) => this.#layers.get(dataId)).find((layer) => layer)
    );
  }

  /** A tensor that is an input of the graph. */
  input(name: string, shape: readonly number[], type: TracedValue['type'] = 'float32'): tf.Tensor {
    const value: TracedValue = { name, shape, type };
    this.#inputs.push(value);
    const info = this.#add(value);
    return tf.engine().makeTensorFromTensorInfo(info);
  }

  /** What was recorded since the last call, with these tensors as its outputs. */
  take(outputs: Readonly<Record<string, tf.TensorInfo>>): Graph {
    const graph: Graph = {
      inputs: this.#inputs,
      constants: new Map(
        [...this.#values.values()].flatMap((value) =>
          value.data === undefined ? [] : [[value.name, { ...value, data: value.data }] as const],
        ),
      ),
      nodes: this.#nodes,
      outputs: new Map(
        Object.entries(outputs).map(([name, tensor]) => [name, withoutData(this.value(tensor))]),
      ),
    };
    this.#inputs = [];
    this.#nodes = [];
    return graph;
  }

  /** Records an operator with one output. */
  record(
    op: string,
    inputs: readonly tf.TensorInfo[],
    { shape, dtype }: Recorded,
    { attributes = {}, domain }: Recording = {},
  ): tf.TensorInfo {
    const [first] = inputs;
    // int64 is int32 to tfjs.
    const isInt64 = op === 'Cast' && attributes.to === int64Code;
    const moved = movingOperators.has(op) && first !== undefined ? this.value(first) : undefined;
    const type = isInt64 ? 'int64' : (moved?.type ?? typeOf(dtype));
    const output: TracedValue = { name: this.#name(), shape: [...shape], type };
    this.#push({ op, inputs, outputs: [output], attributes, domain });
    return this.#add(output);
  }

  /** Records an operator with several outputs. */
  recordAll(
    op: string,
    inputs: readonly tf.TensorInfo[],
    { shapes, dtype }: AllRecorded,
    attributes: Node['attributes'],
  ): tf.TensorInfo[] {
    const outputs = shapes.map(
      (shape): TracedValue => ({ name: this.#name(), shape, type: typeOf(dtype) }),
    );
    this.#push({ op, inputs, outputs, attributes });
    return outputs.map((output) => this.#add(output));
  }

  /** A tensor of known values. */
  constant(
    data: NonNullable<TracedValue['data']>,
    shape: readonly number[],
    type: TracedValue['type'] = 'float32',
  ): tf.TensorInfo {
    const constant: TracedValue = { name: this.#name(), shape: [...shape], type, data };
    return this.#add(constant);
  }

  /** Integers as a vector, as the shapes, axes and splits of ONNX operators are given. */
  integers(values: readonly number[]): tf.TensorInfo {
    return this.constant(Int32Array.from(values), [values.length], 'int64');
  }

  /** What a tensor stands for; a tensor of another backend is a constant. */
  value({ dataId, shape, dtype }: tf.TensorInfo): TracedValue {
    const known = this.#values.get(dataId);
    if (known !== undefined) return known;
    // Made before this trace began: a constant of a layer.
    const values = tf.engine().readSync(dataId) as Float32Array | Int32Array;
    const constant: TracedValue = {
      name: this.#name(),
      shape,
      type: typeOf(dtype),
      data: values.slice(),
    };
    this.#values.set(dataId, constant);
    return constant;
  }

  #push({ inputs, domain, ...node }: UnnamedNode): void {
    this.#nodes.push({
      ...node,
      ...(domain === undefined ? {} : { domain }),
      inputs: inputs.map((input) => this.value(input).name),
    });
  }

  #add(value: TracedValue): tf.TensorInfo {
    const dataId = {};
    this.#values.set(dataId, value);
    if (this.#layer !== undefined) this.#layers.set(dataId, this.#layer);
    return {
      dataId,
      shape: [...value.shape],
      dtype: value.type === 'int64' ? 'int32' : value.type,
    };
  }

  #name(): string {
    this.#count += 1;
    return `v${this.#count}`;
  }

  override write(values: tf.BackendValues, shape: number[], dtype: tf.DataType): object {
    const numbers = values as ArrayLike<number>;
    const data = dtype === 'float32' ? Float32Array.from(numbers) : Int32Array.from(numbers);
    return this.constant(data, shape, typeOf(dtype)).dataId;
  }

  override readSync(dataId: object): tf.BackendValues {
    const data = this.#values.get(dataId)?.data;
    if (data === undefined)
      throw new UntraceableError('the model looks at values while it is traced');
    return data;
  }

  override async read(dataId: object): Promise<tf.BackendValues> {
    return this.readSync(dataId);
  }

  override numDataIds(): number {
    return this.#values.size;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }

  /**
   * A value stays known when its tensors are gone; only tfjs' count of tensors needs to be told.
   */
  override disposeData(dataId: object): boolean {
    const references = this.refCount(dataId) - 1;
    this.#references.set(dataId, references);
    return references <= 0;
  }

  override incRef(dataId: object): void {
    this.#references.set(dataId, this.refCount(dataId) + 1);
  }

  override refCount(dataId: object): number {
    return this.#references.get(dataId) ?? 1;
  }

  override dispose(): void {}

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }
}

/** The value without its data. */
function withoutData({ name, shape, type }: TracedValue): Value {
  return { name, shape, type };
}

function typeOf(dtype: tf.DataType): DType {
  if (dtype === 'float32' || dtype === 'int32' || dtype === 'bool') return dtype;
  throw new UntraceableError(`tensors of type ${dtype} cannot be traced`);
}
