import type * as tf from '@tensorflow/tfjs';
import type { TraceBackend } from '../trace-backend.ts';
import { broadcast, type Recorder, type Recorders, scalar } from './kernel.ts';

const unary =
  (op: string): Recorder =>
  (trace, input) => {
    const x = input('x');
    return trace.record(op, [x], { shape: x.shape, dtype: x.dtype });
  };

const binary =
  (op: string): Recorder =>
  (trace, input) => {
    const [a, b] = [input('a'), input('b')];
    return trace.record(op, [a, b], { shape: broadcast(a, b), dtype: a.dtype });
  };

const comparison =
  (op: string): Recorder =>
  (trace, input) => {
    const [a, b] = [input('a'), input('b')];
    return trace.record(op, [a, b], { shape: broadcast(a, b), dtype: 'bool' });
  };

const filled =
  (value: number): Recorder =>
  (trace, input) => {
    const { shape, dtype } = input('x');
    return fill(trace, shape, value, dtype);
  };

/** Known values, all the same. */
function fill(
  trace: TraceBackend,
  shape: number[],
  value: number,
  dtype: tf.DataType,
): tf.TensorInfo {
  const size = shape.reduce((product, dimension) => product * dimension, 1);
  if (dtype === 'float32') return trace.constant(new Float32Array(size).fill(value), shape);
  return trace.constant(
    new Int32Array(size).fill(value),
    shape,
    dtype === 'bool' ? 'bool' : 'int32',
  );
}

/** x · y, and other shorthands within this file. */
function apply(trace: TraceBackend, op: string, a: tf.TensorInfo, b: tf.TensorInfo): tf.TensorInfo {
  return trace.record(op, [a, b], { shape: broadcast(a, b), dtype: a.dtype });
}

/** Integers as numbers, for kernels that answer with numbers whatever they take. */
function asFloat(trace: TraceBackend, x: tf.TensorInfo): tf.TensorInfo {
  if (x.dtype === 'float32') return x;
  const cast = { shape: x.shape, dtype: 'float32' as const };
  return trace.record('Cast', [x], cast, { attributes: { to: 1 } });
}

/** y where x > 0, z elsewhere. */
function wherePositive(
  trace: TraceBackend,
  x: tf.TensorInfo,
  y: tf.TensorInfo,
  z: tf.TensorInfo,
): tf.TensorInfo {
  const isPositive = trace.record('Greater', [x, scalar(trace, 0)], {
    shape: x.shape,
    dtype: 'bool',
  });
  return trace.record('Where', [isPositive, y, z], { shape: x.shape, dtype: 'float32' });
}

/** Kernels that work element by element. */
export const elementwise: Recorders = {
  Abs: unary('Abs'),
  Ceil: unary('Ceil'),
  Cos: unary('Cos'),
  Erf: unary('Erf'),
  Exp: unary('Exp'),
  Floor: unary('Floor'),
  Identity: unary('Identity'),
  Log: unary('Log'),
  LogicalNot: unary('Not'),
  Neg: unary('Neg'),
  Reciprocal: unary('Reciprocal'),
  Relu: unary('Relu'),
  Sigmoid: unary('Sigmoid'),
  Sign: unary('Sign'),
  Sin: unary('Sin'),
  Softplus: unary('Softplus'),
  Sqrt: unary('Sqrt'),
  Tanh: unary('Tanh'),
  Elu: unary('Elu'),
  Selu: unary('Selu'),

  Add: binary('Add'),
  Maximum: binary('Max'),
  Minimum: binary('Min'),
  Multiply: binary('Mul'),
  Pow: binary('Pow'),
  RealDiv: binary('Div'),
  Sub: binary('Sub'),

  Equal: comparison('Equal'),
  Greater: comparison('Greater'),
  GreaterEqual: comparison('GreaterOrEqual'),
  Less: comparison('Less'),
  LessEqual: comparison('LessOrEqual'),
  LogicalAnd: comparison('And'),
  LogicalOr: comparison('Or'),
  NotEqual: (trace, input) => {
    const [a, b] = [input('a'), input('b')];
    const isEqual = trace.record('Equal', [a, b], { shape: broadcast(a, b), dtype: 'bool' });
    return trace.record('Not', [isEqual], { shape: isEqual.shape, dtype: 'bool' });
  },

  ZerosLike: filled(0),
  OnesLike: filled(1),
  Fill: (trace, _input, { shape = [], value = 0, dtype = 'float32' }) =>
    fill(trace, shape, value, dtype),

  Square: (trace, input) => apply(trace, 'Mul', input('x'), input('x')),
  SquaredDifference: (trace, input) => {
    const difference = apply(trace, 'Sub', input('a'), input('b'));
    return apply(trace, 'Mul', difference, difference);
  },
  Rsqrt: (trace, input) => {
    const x = input('x');
    return trace.record(
      'Reciprocal',
      [trace.record('Sqrt', [x], { shape: x.shape, dtype: x.dtype })],
      { shape: x.shape, dtype: x.dtype },
    );
  },
  Log1p: (trace, input) => {
    const x = input('x');
    return trace.record('Log', [apply(trace, 'Add', x, scalar(trace, 1))], {
      shape: x.shape,
      dtype: x.dtype,
    });
  },
  Expm1: (trace, input) => {
    const x = input('x');
    return apply(
      trace,
      'Sub',
      trace.record('Exp', [x], { shape: x.shape, dtype: x.dtype }),
      scalar(trace, 1),
    );
  },
  AddN: (trace, _input, _attributes, all) => {
    const tensors = Object.values(all) as tf.TensorInfo[];
    const [first] = tensors;
    return trace.record('Sum', tensors, {
      shape: first?.shape ?? [],
      dtype: first?.dtype ?? 'float32',
    });
  },

  /** 1 where x > 0, `alpha` elsewhere: the derivative of rectifiers. */
  Step: (trace, input, { alpha = 0 }) => {
    const x = input('x');
    if (alpha !== 0) return wherePositive(trace, x, scalar(trace, 1), scalar(trace, alpha));
    // Any positive number times alpha is above 1: one pass. Sign takes several times as long.
    return trace.record(
      'HardSigmoid',
      [x],
      { shape: x.shape, dtype: 'float32' },
      {
        attributes: { alpha: { float: 3e38 }, beta: { float: 0 } },
      },
    );
  },
  Relu6: (trace, input) => {
    const x = input('x');
    return trace.record('Clip', [x, scalar(trace, 0), scalar(trace, 6)], {
      shape: x.shape,
      dtype: x.dtype,
    });
  },
  LeakyRelu: (trace, input, { alpha = 0.2 }) => {
    const x = input('x');
    return trace.record(
      'LeakyRelu',
      [x],
      { shape: x.shape, dtype: x.dtype },
      {
        attributes: { alpha: { float: alpha } },
      },
    );
  },
  Prelu: (trace, input) => {
    const x = asFloat(trace, input('x'));
    return wherePositive(trace, x, x, apply(trace, 'Mul', x, input('alpha')));
  },
  /** dy where y ≥ 0, dy · (y + 1) elsewhere; at 0 both are the same. */
  EluGrad: (trace, input) => {
    const [dy, y] = [input('dy'), input('y')];
    return wherePositive(
      trace,
      y,
      dy,
      apply(trace, 'Mul', dy, apply(trace, 'Add', y, scalar(trace, 1))),
    );
  },
  ClipByValue: (trace, input, { clipValueMin = 0, clipValueMax = 0 }) => {
    const x = input('x');
    const bounds = [scalar(trace, clipValueMin, x.dtype), scalar(trace, clipValueMax, x.dtype)];
    return trace.record('Clip', [x, ...bounds], { shape: x.shape, dtype: x.dtype });
  },
  /** (x − mean) · scale / √(variance + ε) + offset, along the last axis. Ioffe and Szegedy 2015. */
  FusedBatchNorm: (trace, input, { varianceEpsilon = 0.001 }, all) => {
    const [mean, variance] = [input('mean'), input('variance')];
    const padded = apply(trace, 'Add', variance, scalar(trace, varianceEpsilon));
    const deviation = trace.record('Sqrt', [padded], { shape: variance.shape, dtype: 'float32' });
    const x = asFloat(trace, input('x'));
    const centred = apply(trace, 'Div', apply(trace, 'Sub', x, mean), deviation);
    const scaled = all.scale === undefined ? centred : apply(trace, 'Mul', centred, input('scale'));
    return all.offset === undefined ? scaled : apply(trace, 'Add', scaled, input('offset'));
  },
  Cast: (trace, input, { dtype = 'float32' }) => {
    const x = input('x');
    if (x.dtype === dtype) return trace.record('Identity', [x], { shape: x.shape, dtype });
    const to = { float32: 1, int32: 6, bool: 9 }[dtype as 'float32' | 'int32' | 'bool'];
    return trace.record('Cast', [x], { shape: x.shape, dtype }, { attributes: { to } });
  },
  Select: (trace, input) => {
    const [condition, t, e] = [input('condition'), input('t'), input('e')];
    return trace.record('Where', [condition, t, e], { shape: broadcast(t, e), dtype: t.dtype });
  },
};
