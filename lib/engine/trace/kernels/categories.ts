import { sizeOf } from '../graph.ts';
import { axesOf, type Recorders, reshape, untraceable } from './kernel.ts';

/** Kernels that address by index. */
export const categories: Recorders = {
  GatherV2: (trace, input, { axis = 0, batchDims = 0 }) => {
    if (batchDims !== 0) return untraceable('GatherV2 with batchDims');
    const [x, indices] = [input('x'), input('indices')];
    const [along = 0] = axesOf(axis as number, x);
    const shape = [...x.shape.slice(0, along), ...indices.shape, ...x.shape.slice(along + 1)];
    return trace.record(
      'Gather',
      [x, indices],
      { shape, dtype: x.dtype },
      { attributes: { axis: along } },
    );
  },
  /** The gradient of Gather: rows are added up where their index says; never a dense one-hot. */
  UnsortedSegmentSum: (trace, input, { numSegments = 0 }) => {
    const [x, segments] = [input('x'), input('segmentIds')];
    const rowShape = x.shape.slice(segments.shape.length);
    const shape = [numSegments, ...rowShape];
    const zeros = trace.constant(new Float32Array(sizeOf(shape)), shape);
    const isWide = trace.value(segments).type === 'int64';
    const wide = isWide
      ? segments
      : trace.record(
          'Cast',
          [segments],
          { shape: segments.shape, dtype: 'int32' },
          { attributes: { to: 7 } },
        );
    const indices = reshape(trace, wide, [...segments.shape, 1]);
    return trace.record(
      'ScatterND',
      [zeros, indices, x],
      { shape, dtype: x.dtype },
      {
        attributes: { reduction: 'add' },
      },
    );
  },
  OneHot: (trace, input, { depth = 0, onValue = 1, offValue = 0, dtype = 'int32' }) => {
    const indices = input('indices');
    const size = trace.constant(Int32Array.of(depth), [], 'int64');
    // ORT has no one-hot integers for these indices.
    const values = trace.constant(Float32Array.of(offValue, onValue), [2]);
    const shape = [...indices.shape, depth];
    const wide = trace.record(
      'Cast',
      [indices],
      { shape: indices.shape, dtype: 'int32' },
      { attributes: { to: 7 } },
    );
    const oneHot = trace.record(
      'OneHot',
      [wide, size, values],
      { shape, dtype: 'float32' },
      {
        attributes: { axis: -1 },
      },
    );
    return dtype === 'float32'
      ? oneHot
      : trace.record('Cast', [oneHot], { shape, dtype }, { attributes: { to: 6 } });
  },
};
