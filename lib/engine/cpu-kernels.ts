import * as tf from '@tensorflow/tfjs';

/**
 * Replacements for some of tfjs' cpu kernels that take time linear in their elements. Values are
 * the same to the bit. For cases other than the common ones below, tfjs' own kernel runs. Together
 * they train the flights network about twice as fast.
 */
export function useLinearKernels(): void {
  if (isInstalled) return;
  isInstalled = true;
  replaceBinary('Add', (a, b) => a + b);
  replaceBinary('Sub', (a, b) => a - b);
  replaceBinary('Multiply', (a, b) => a * b);
  replaceBinary('RealDiv', (a, b) => a / b);
  replaceTranspose();
  replaceGather();
  replaceSegmentSum();
}

let isInstalled = false;

type Values = Float32Array | Int32Array;
type Call = {
  readonly inputs: Readonly<Record<string, tf.TensorInfo>>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly values: (tensor: tf.TensorInfo) => Values;
  readonly result: (shape: number[], values: Float32Array) => tf.TensorInfo;
};

/** Puts `kernel` before tfjs' own, which runs where `kernel` answers nothing. */
function replace(kernelName: string, kernel: (call: Call) => tf.TensorInfo | undefined): void {
  const { kernelFunc: original } = tf.getKernel(kernelName, 'cpu');
  tf.unregisterKernel(kernelName, 'cpu');
  tf.registerKernel({
    kernelName,
    backendName: 'cpu',
    kernelFunc(parameters) {
      const backend = parameters.backend as {
        data: { get(id: object): { values: Values } };
        makeTensorInfo(shape: number[], dtype: tf.DataType, values: Float32Array): tf.TensorInfo;
      };
      const call: Call = {
        inputs: parameters.inputs as Record<string, tf.TensorInfo>,
        attrs: (parameters.attrs ?? {}) as Record<string, unknown>,
        values: (tensor) => backend.data.get(tensor.dataId).values,
        result: (shape, values) => backend.makeTensorInfo(shape, 'float32', values),
      };
      return kernel(call) ?? original(parameters);
    },
  });
}

/** tfjs computes indices over all dimensions for each element as soon as one side is broadcast. */
function replaceBinary(kernelName: string, operation: (a: number, b: number) => number): void {
  replace(kernelName, ({ inputs: { a, b }, values, result }) => {
    if (a === undefined || b === undefined || a.dtype !== 'float32' || b.dtype !== 'float32')
      return undefined;
    const shape = broadcastShape(a.shape, b.shape);
    if (shape === undefined) return undefined;
    const out = new Float32Array(tf.util.sizeFromShape(shape));
    applyBinary(operation, values(a), values(b), out);
    return result(shape, out);
  });
}

function applyBinary(
  operation: (a: number, b: number) => number,
  a: Values,
  b: Values,
  out: Float32Array,
): void {
  if (a.length === 1) {
    const left = a[0] ?? 0;
    for (let i = 0; i < b.length; i++) out[i] = operation(left, b[i] ?? 0);
  } else if (b.length === 1) {
    const right = b[0] ?? 0;
    for (let i = 0; i < a.length; i++) out[i] = operation(a[i] ?? 0, right);
  } else {
    for (let i = 0; i < a.length; i += b.length) {
      for (let j = 0; j < b.length; j++) out[i + j] = operation(a[i + j] ?? 0, b[j] ?? 0);
    }
  }
}

/**
 * The result's shape where one side is a single number, or `b` is the trailing dimensions of `a`.
 */
function broadcastShape(a: number[], b: number[]): number[] | undefined {
  if (isSuffix(b, a) || (tf.util.sizeFromShape(b) === 1 && b.length <= a.length)) return a;
  return tf.util.sizeFromShape(a) === 1 && a.length <= b.length ? b : undefined;
}

function isSuffix(suffix: number[], shape: number[]): boolean {
  return (
    suffix.length <= shape.length &&
    suffix.every((size, i) => size === shape[shape.length - suffix.length + i])
  );
}

/** Transposing by the identity, which the gradient of every embedding does twice, is a copy. */
function replaceTranspose(): void {
  replace('Transpose', ({ inputs: { x }, attrs: { perm }, values, result }) => {
    if (x?.dtype !== 'float32' || !Array.isArray(perm)) return undefined;
    return perm.every((from, to) => from === to)
      ? result(x.shape, Float32Array.from(values(x)))
      : undefined;
  });
}

/** Rows of a table by index; tfjs computes indices for each element. */
function replaceGather(): void {
  replace('GatherV2', ({ inputs: { x, indices }, attrs: { axis, batchDims }, values, result }) => {
    if (
      x?.dtype !== 'float32' ||
      indices === undefined ||
      axis !== 0 ||
      Number(batchDims ?? 0) !== 0
    ) {
      return undefined;
    }
    const table = values(x);
    const rows = values(indices);
    const width = tf.util.sizeFromShape(x.shape.slice(1));
    const out = new Float32Array(rows.length * width);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] ?? 0;
      for (let column = 0; column < width; column++)
        out[i * width + column] = table[row * width + column] ?? 0;
    }
    return result([...indices.shape, ...x.shape.slice(1)], out);
  });
}

/**
 * The gradient of a gather: adds each row where it belongs, O(rows). tfjs' own makes a mask over
 * all rows for each row of the table, O(rows × table).
 */
function replaceSegmentSum(): void {
  replace(
    'UnsortedSegmentSum',
    ({ inputs: { x, segmentIds }, attrs: { numSegments }, values, result }) => {
      if (x?.dtype !== 'float32' || segmentIds === undefined) return undefined;
      const rows = values(x);
      const segments = values(segmentIds);
      const shape = [Number(numSegments), ...x.shape.slice(segmentIds.shape.length)];
      const sums = new Float32Array(tf.util.sizeFromShape(shape));
      const width = tf.util.sizeFromShape(shape.slice(1));
      for (let row = 0; row < segments.length; row++) {
        const target = (segments[row] ?? 0) * width;
        for (let column = 0; column < width; column++) {
          sums[target + column] = (sums[target + column] ?? 0) + (rows[row * width + column] ?? 0);
        }
      }
      return result(shape, sums);
    },
  );
}
