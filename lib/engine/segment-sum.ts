import * as tf from '@tensorflow/tfjs';

let isRegistered = false;

/**
 * Replaces tfjs' cpu kernel of UnsortedSegmentSum, the gradient of every embedding: its own makes a mask over
 * all rows for each row of the table, O(rows × table); this one adds each row where it belongs, O(rows).
 */
export function useLinearSegmentSum(): void {
  if (isRegistered) return;
  isRegistered = true;
  tf.unregisterKernel('UnsortedSegmentSum', 'cpu');
  tf.registerKernel({
    kernelName: 'UnsortedSegmentSum',
    backendName: 'cpu',
    kernelFunc({ inputs, backend, attrs }) {
      const { x, segmentIds } = inputs as { x: tf.TensorInfo; segmentIds: tf.TensorInfo };
      const { numSegments } = attrs as { numSegments: number };
      const cpu = backend as tf.KernelBackend & {
        data: { get(id: object): { values: Float32Array | Int32Array } };
        makeTensorInfo(shape: number[], dtype: tf.DataType, values: Float32Array): tf.TensorInfo;
      };
      const values = cpu.data.get(x.dataId).values;
      const segments = cpu.data.get(segmentIds.dataId).values;
      const width = segments.length === 0 ? 0 : values.length / segments.length;
      const shape = [numSegments, ...x.shape.slice(segmentIds.shape.length)];
      const sums = new Float32Array(tf.util.sizeFromShape(shape));
      for (let row = 0; row < segments.length; row++) {
        const target = (segments[row] ?? 0) * width;
        for (let column = 0; column < width; column++) {
          sums[target + column] = (sums[target + column] ?? 0) + (values[row * width + column] ?? 0);
        }
      }
      return cpu.makeTensorInfo(shape, 'float32', sums);
    },
  });
}
