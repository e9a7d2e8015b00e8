import type * as tf from '@tensorflow/tfjs';
import { coveredPixels } from '../covered-pixels.ts';
import { sizeOf } from '../graph.ts';
import type { TraceBackend } from '../trace-backend.ts';
import {
  channelsFirst,
  channelsLast,
  poolWindow,
  spread,
  type Window,
  windowAttributes,
} from './images.ts';
import { type Recorder, type Recorders, reshape } from './kernel.ts';

/** Pooled images and, for maxima, the place of each in the images as one vector. */
function pool(
  trace: TraceBackend,
  op: 'AveragePool' | 'MaxPool',
  x: tf.TensorInfo,
  window: Window,
): tf.TensorInfo[] {
  const shape = [x.shape[0] ?? 1, x.shape[3] ?? 1, ...window.output];
  const { dilations: _, ...attributes } = windowAttributes(window);
  const shapes = op === 'MaxPool' ? [shape, shape] : [shape];
  return trace.recordAll(op, [channelsFirst(trace, x)], { shapes, dtype: 'float32' }, attributes);
}

const pooled =
  (op: 'AveragePool' | 'MaxPool'): Recorder =>
  (trace, input, attributes) => {
    const x = input('x');
    const [images = x] = pool(trace, op, x, poolWindow(x.shape, attributes));
    return channelsLast(trace, images);
  };

/** Pools of images, and their gradients. */
export const pools: Recorders = {
  AvgPool: pooled('AveragePool'),
  MaxPool: pooled('MaxPool'),
  AvgPoolGrad: (trace, input, attributes) => {
    const [dy, x] = [input('dy'), input('input')];
    const window = poolWindow(x.shape, attributes);
    const [, height = 1, width = 1, channels = 1] = x.shape;
    const gradient = channelsFirst(trace, dy);
    const [rows, columns] = window.output;
    const counts = coveredPixels(window, [height, width], window.output);
    const covered = trace.constant(counts, [1, 1, rows, columns]);
    const shares = trace.record('Div', [gradient, covered], {
      shape: gradient.shape,
      dtype: 'float32',
    });
    const shape = [channels, 1, ...window.kernel];
    const ones = trace.constant(new Float32Array(sizeOf(shape)).fill(1), shape);
    return channelsLast(
      trace,
      spread(trace, shares, ones, { window, size: [height, width], channels, groups: channels }),
    );
  },
  /**
   * The pixel that was the largest gets the gradient; one that was in several windows gets their
   * sum.
   */
  MaxPoolGrad: (trace, input, attributes) => {
    const [dy, x] = [input('dy'), input('input')];
    const window = poolWindow(x.shape, attributes);
    const images = channelsFirst(trace, x);
    const [, places = images] = pool(trace, 'MaxPool', x, window);
    const count = [sizeOf(places.shape)];
    const zeros = trace.constant(new Float32Array(sizeOf(images.shape)), [sizeOf(images.shape)]);
    const updates = reshape(trace, channelsFirst(trace, dy), count);
    const indices = reshape(trace, places, count);
    const scattered = trace.record(
      'ScatterElements',
      [zeros, indices, updates],
      { shape: zeros.shape, dtype: 'float32' },
      {
        attributes: { axis: 0, reduction: 'add' },
      },
    );
    return channelsLast(trace, reshape(trace, scattered, images.shape));
  },
};
