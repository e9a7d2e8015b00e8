import type * as tf from '@tensorflow/tfjs';
import type { TraceBackend } from '../trace-backend.ts';
import {
  channelsFirst,
  channelsLast,
  convolutionWindow,
  spread,
  transpose,
  type Window,
  windowAttributes,
} from './images.ts';
import { type KernelAttributes, type KernelInputs, type Recorders, reshape } from './kernel.ts';
import { activate } from './matrices.ts';

/** x [n, h, w, in] by a filter [h, w, in, out]. */
function convolve(
  trace: TraceBackend,
  input: KernelInputs,
  attributes: KernelAttributes,
): tf.TensorInfo {
  const [x, filter] = [input('x'), input('filter')];
  const window = convolutionWindow(x.shape, filter.shape, attributes);
  const shape = [x.shape[0] ?? 1, filter.shape[3] ?? 1, ...window.output];
  const operands = [channelsFirst(trace, x), transpose(trace, filter, [3, 2, 0, 1])];
  return channelsLast(
    trace,
    trace.record(
      'Conv',
      operands,
      { shape, dtype: 'float32' },
      { attributes: windowAttributes(window) },
    ),
  );
}

/**
 * A depthwise filter [h, w, in, multiplier] as ONNX has grouped ones, [in · multiplier, 1, h, w].
 */
function groupedFilter(trace: TraceBackend, filter: tf.TensorInfo): tf.TensorInfo {
  const [height = 1, width = 1, channels = 1, multiplier = 1] = filter.shape;
  return reshape(trace, transpose(trace, filter, [2, 3, 0, 1]), [
    channels * multiplier,
    1,
    height,
    width,
  ]);
}

/**
 * The gradient of a filter: the images, their channels for a count, convolved by the gradient of
 * the output, with strides and dilations exchanged. [groups · in, out, h, w] comes out, perhaps
 * with rows that no window reached.
 */
function filterGradient(
  trace: TraceBackend,
  { images, gradients }: { readonly images: tf.TensorInfo; readonly gradients: tf.TensorInfo },
  { strides, dilations, pads, kernel, output }: Window,
  groups: number,
): tf.TensorInfo {
  const size = [0, 1].map((i) => {
    const padded = (images.shape[i + 2] ?? 1) + (pads[i] ?? 0) + (pads[i + 2] ?? 0);
    return (
      Math.floor((padded - ((output[i] ?? 1) - 1) * (strides[i] ?? 1) - 1) / (dilations[i] ?? 1)) +
      1
    );
  });
  const shape = [images.shape[0] ?? 1, gradients.shape[0] ?? 1];
  const attributes = {
    kernel_shape: output,
    strides: dilations,
    dilations: strides,
    pads,
    group: groups,
  };
  const all = trace.record(
    'Conv',
    [images, gradients],
    { shape: [...shape, ...size], dtype: 'float32' },
    {
      attributes,
    },
  );
  if (size.every((each, i) => each === kernel[i])) return all;
  const bounds = [[0, 0], kernel, [2, 3]].map((values) => trace.integers(values));
  return trace.record('Slice', [all, ...bounds], {
    shape: [...shape, ...kernel],
    dtype: 'float32',
  });
}

/** Convolutions of images, and their gradients. */
export const convolutions: Recorders = {
  Conv2D: convolve,
  FusedConv2D: (trace, input, attributes, all) => {
    const convolved = convolve(trace, input, attributes);
    if (all.bias === undefined) return activate(trace, convolved, attributes);
    const biased = trace.record('Add', [convolved, input('bias')], {
      shape: convolved.shape,
      dtype: 'float32',
    });
    return activate(trace, biased, attributes);
  },
  Conv2DBackpropInput: (trace, input, attributes) => {
    const [dy, filter] = [input('dy'), input('filter')];
    const inputShape = attributes.inputShape ?? [];
    const window = convolutionWindow(inputShape, filter.shape, attributes);
    const [, height = 1, width = 1, channels = 1] = inputShape;
    const dx = spread(trace, channelsFirst(trace, dy), transpose(trace, filter, [3, 2, 0, 1]), {
      window,
      size: [height, width],
      channels,
      groups: 1,
    });
    return channelsLast(trace, dx);
  },
  Conv2DBackpropFilter: (trace, input, attributes) => {
    const [x, dy] = [input('x'), input('dy')];
    const window = convolutionWindow(x.shape, attributes.filterShape ?? [], attributes);
    const images = transpose(trace, x, [3, 0, 1, 2]);
    const gradient = filterGradient(
      trace,
      { images, gradients: transpose(trace, dy, [3, 0, 1, 2]) },
      window,
      1,
    );
    return transpose(trace, gradient, [2, 3, 0, 1]);
  },
  DepthwiseConv2dNative: (trace, input, attributes) => {
    const [x, filter] = [input('x'), input('filter')];
    const window = convolutionWindow(x.shape, filter.shape, attributes, true);
    const [count = 1, , , channels = 1] = x.shape;
    const shape = [count, channels * (filter.shape[3] ?? 1), ...window.output];
    const operands = [channelsFirst(trace, x), groupedFilter(trace, filter)];
    const settings = { attributes: { ...windowAttributes(window), group: channels } };
    return channelsLast(
      trace,
      trace.record('Conv', operands, { shape, dtype: 'float32' }, settings),
    );
  },
  DepthwiseConv2dNativeBackpropInput: (trace, input, attributes) => {
    const [dy, filter] = [input('dy'), input('filter')];
    const inputShape = attributes.inputShape ?? [];
    const window = convolutionWindow(inputShape, filter.shape, attributes, true);
    const [, height = 1, width = 1, channels = 1] = inputShape;
    const dx = spread(trace, channelsFirst(trace, dy), groupedFilter(trace, filter), {
      window,
      size: [height, width],
      channels,
      groups: channels,
    });
    return channelsLast(trace, dx);
  },
  DepthwiseConv2dNativeBackpropFilter: (trace, input, attributes) => {
    const [x, dy] = [input('x'), input('dy')];
    const filterShape = attributes.filterShape ?? [];
    const window = convolutionWindow(x.shape, filterShape, attributes, true);
    const [count = 1, height = 1, width = 1, channels = 1] = x.shape;
    const images = reshape(trace, transpose(trace, x, [3, 0, 1, 2]), [
      1,
      channels * count,
      height,
      width,
    ]);
    const gradient = filterGradient(
      trace,
      { images, gradients: transpose(trace, dy, [3, 0, 1, 2]) },
      window,
      channels,
    );
    const [rows = 1, columns = 1, , multiplier = 1] = filterShape;
    const grouped = reshape(trace, gradient, [channels, multiplier, rows, columns]);
    return transpose(trace, grouped, [2, 3, 0, 1]);
  },
};
