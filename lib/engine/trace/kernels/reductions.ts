import { axesOf, type Recorder, type Recorders } from './kernel.ts';

const reduction =
  (op: string): Recorder =>
  (trace, input, { axis, reductionIndices, keepDims = false }) => {
    const x = input('x');
    const axes = axesOf(axis ?? reductionIndices, x);
    const kept = x.shape.map((dimension, i) => (axes.includes(i) ? 1 : dimension));
    const shape = keepDims ? kept : x.shape.filter((_, i) => !axes.includes(i));
    const attributes = { keepdims: keepDims ? 1 : 0 };
    return trace.record(op, [x, trace.integers(axes)], { shape, dtype: x.dtype }, { attributes });
  };

const normalization =
  (op: string): Recorder =>
  (trace, input) => {
    const logits = input('logits');
    return trace.record(
      op,
      [logits],
      { shape: logits.shape, dtype: 'float32' },
      { attributes: { axis: -1 } },
    );
  };

/** Kernels that reduce axes. */
export const reductions: Recorders = {
  Max: reduction('ReduceMax'),
  Mean: reduction('ReduceMean'),
  Min: reduction('ReduceMin'),
  Prod: reduction('ReduceProd'),
  Sum: reduction('ReduceSum'),
  LogSoftmax: normalization('LogSoftmax'),
  Softmax: normalization('Softmax'),
};
