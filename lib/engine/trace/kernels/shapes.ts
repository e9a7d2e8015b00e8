import * as tf from '@tensorflow/tfjs';
import { sizeOf } from '../graph.ts';
import { axesOf, type Recorders, reshape, scalar, untraceable } from './kernel.ts';

/** Kernels that move elements without changing them. */
export const shapes: Recorders = {
  Reshape: (trace, input, { shape = [] }) => {
    const x = input('x');
    return reshape(trace, x, tf.util.inferFromImplicitShape(shape, sizeOf(x.shape)));
  },
  ExpandDims: (trace, input, { dim = 0 }) => {
    const x = input('input');
    const shape = [...x.shape];
    shape.splice(dim < 0 ? shape.length + 1 + dim : dim, 0, 1);
    return reshape(trace, x, shape);
  },
  Transpose: (trace, input, { perm = [] }) => {
    const x = input('x');
    const shape = perm.map((axis) => x.shape[axis] ?? 1);
    return trace.record('Transpose', [x], { shape, dtype: x.dtype }, { attributes: { perm } });
  },
  Concat: (trace, _input, { axis = 0 }, all) => {
    const tensors = Object.values(all) as tf.TensorInfo[];
    const [first] = tensors;
    if (first === undefined) return untraceable('Concat of nothing');
    const [along = 0] = axesOf(axis, first);
    const shape = first.shape.map((dimension, i) =>
      i === along ? tensors.reduce((sum, tensor) => sum + (tensor.shape[i] ?? 0), 0) : dimension,
    );
    return trace.record(
      'Concat',
      tensors,
      { shape, dtype: first.dtype },
      { attributes: { axis: along } },
    );
  },
  SplitV: (trace, input, { numOrSizeSplits = 1, axis = 0 }) => {
    const x = input('x');
    const [along = 0] = axesOf(axis, x);
    const sizes = tf.backend_util.prepareSplitSize(x as tf.Tensor, numOrSizeSplits, along);
    const shapesOfParts = sizes.map((size) =>
      x.shape.map((dimension, i) => (i === along ? size : dimension)),
    );
    return trace.recordAll(
      'Split',
      [x, trace.integers(sizes)],
      { shapes: shapesOfParts, dtype: x.dtype },
      {
        axis: along,
      },
    );
  },
  Slice: (trace, input, { begin = [], size = [] }) => {
    const x = input('x');
    const [starts = [], sizes = []] = tf.slice_util.parseSliceParams(x as tf.Tensor, begin, size);
    const ends = starts.map((start, i) => start + (sizes[i] ?? 0));
    const parameters = [starts, ends, starts.map((_, i) => i)].map((values) =>
      trace.integers(values),
    );
    return trace.record('Slice', [x, ...parameters], { shape: sizes, dtype: x.dtype });
  },
  Pack: (trace, _input, attributes, all) => {
    const axis = Number(attributes.axis ?? 0);
    const tensors = (Object.values(all) as tf.TensorInfo[]).map((tensor) => {
      const shape = [...tensor.shape];
      shape.splice(axis, 0, 1);
      return reshape(trace, tensor, shape);
    });
    const shape = [...(tensors[0]?.shape ?? [])];
    shape[axis] = tensors.length;
    return trace.record(
      'Concat',
      tensors,
      { shape, dtype: tensors[0]?.dtype ?? 'float32' },
      {
        attributes: { axis },
      },
    );
  },
  Unpack: (trace, input, { axis = 0 }) => {
    const x = input('value');
    const [along = 0] = axesOf(axis, x);
    const count = x.shape[along] ?? 0;
    const part = x.shape.map((dimension, i) => (i === along ? 1 : dimension));
    const sizes = trace.integers(Array.from({ length: count }, () => 1));
    const parts = trace.recordAll(
      'Split',
      [x, sizes],
      { shapes: Array.from({ length: count }, () => part), dtype: x.dtype },
      {
        axis: along,
      },
    );
    return parts.map((info) =>
      reshape(
        trace,
        info,
        x.shape.filter((_, i) => i !== along),
      ),
    );
  },
  PadV2: (trace, input, { paddings = [], constantValue = 0 }) => {
    const x = input('x');
    const pads = trace.integers([
      ...paddings.map(([before]) => before),
      ...paddings.map(([, after]) => after),
    ]);
    const shape = x.shape.map(
      (dimension, i) => dimension + (paddings[i]?.[0] ?? 0) + (paddings[i]?.[1] ?? 0),
    );
    return trace.record('Pad', [x, pads, scalar(trace, constantValue, x.dtype)], {
      shape,
      dtype: x.dtype,
    });
  },
  Tile: (trace, input, { reps = [] }) => {
    const x = input('x');
    const shape = x.shape.map((dimension, i) => dimension * (reps[i] ?? 1));
    return trace.record('Tile', [x, trace.integers(reps)], { shape, dtype: x.dtype });
  },
  Reverse: (trace, input, { dims }) => {
    const x = input('x');
    const axes = axesOf(dims, x);
    const last = axes.map(() => -1);
    // Slice with steps of −1, from the last element to before the first.
    const beforeFirst = axes.map(() => -(2 ** 31));
    const parameters = [last, beforeFirst, axes, last].map((values) => trace.integers(values));
    return trace.record('Slice', [x, ...parameters], { shape: x.shape, dtype: x.dtype });
  },
};
