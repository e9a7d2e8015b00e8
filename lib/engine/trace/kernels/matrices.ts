import type * as tf from '@tensorflow/tfjs';
import type { TraceBackend } from '../trace-backend.ts';
import { elementwise } from './elementwise.ts';
import {
  broadcast,
  type KernelAttributes,
  type Recorders,
  reshape,
  untraceable,
} from './kernel.ts';

/** A · B, with either transposed; [m, k] · [k, n], or stacks of such matrices. */
function multiply(
  trace: TraceBackend,
  a: tf.TensorInfo,
  b: tf.TensorInfo,
  { transposeA = false, transposeB = false }: KernelAttributes,
): tf.TensorInfo {
  const [rowsA = 1, columnsA = 1] = a.shape.slice(-2);
  const [rowsB = 1, columnsB = 1] = b.shape.slice(-2);
  const product = [transposeA ? columnsA : rowsA, transposeB ? rowsB : columnsB];
  const stacks = a.shape.slice(0, -2);
  if (stacks.every((size) => size === 1) && b.shape.slice(0, -2).every((size) => size === 1)) {
    const matrices = [matrix(trace, a), matrix(trace, b)];
    const attributes = { transA: Number(transposeA), transB: Number(transposeB) };
    const result = trace.record(
      'Gemm',
      matrices,
      { shape: product, dtype: 'float32' },
      { attributes },
    );
    return stacks.length === 0 ? result : reshape(trace, result, [...stacks, ...product]);
  }
  const attributes = { transA: Number(transposeA), transB: Number(transposeB) };
  const shape = [
    ...broadcast({ ...a, shape: stacks }, { ...b, shape: b.shape.slice(0, -2) }),
    ...product,
  ];
  return trace.record(
    'FusedMatMul',
    [a, b],
    { shape, dtype: 'float32' },
    {
      attributes,
      domain: 'com.microsoft',
    },
  );
}

function matrix(trace: TraceBackend, x: tf.TensorInfo): tf.TensorInfo {
  return x.shape.length === 2 ? x : reshape(trace, x, x.shape.slice(-2));
}

/** The kernel of each activation that tfjs fuses into a product. */
const activations: Readonly<Record<string, string>> = {
  elu: 'Elu',
  leakyrelu: 'LeakyRelu',
  relu: 'Relu',
  relu6: 'Relu6',
  sigmoid: 'Sigmoid',
};

/** Applies an activation that tfjs fused into another kernel. */
export function activate(
  trace: TraceBackend,
  x: tf.TensorInfo,
  { activation = 'linear', leakyreluAlpha }: KernelAttributes,
): tf.TensorInfo | tf.TensorInfo[] {
  if (activation === 'linear') return x;
  const record =
    elementwise[activations[activation] ?? ''] ?? (() => untraceable(`fused ${activation}`));
  return record(trace, () => x, leakyreluAlpha === undefined ? {} : { alpha: leakyreluAlpha }, {
    x,
  });
}

/** Products of matrices. */
export const matrices: Recorders = {
  BatchMatMul: (trace, input, attributes) => multiply(trace, input('a'), input('b'), attributes),
  _FusedMatMul: (trace, input, attributes, all) => {
    const product = multiply(trace, input('a'), input('b'), attributes);
    if (all.bias === undefined) return activate(trace, product, attributes);
    const biased = trace.record('Add', [product, input('bias')], {
      shape: product.shape,
      dtype: 'float32',
    });
    return activate(trace, biased, attributes);
  },
};
