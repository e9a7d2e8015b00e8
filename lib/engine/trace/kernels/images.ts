import * as tf from '@tensorflow/tfjs';
import type { TraceBackend } from '../trace-backend.ts';
import { type KernelAttributes, untraceable } from './kernel.ts';

type Padding = Parameters<typeof tf.backend_util.computePool2DInfo>[4];
type Sides = [number, number, number, number];

/**
 * The geometry of a window that slides over images, [top, left, bottom, right] where there are four
 * numbers.
 */
export type Window = {
  readonly kernel: readonly [number, number];
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly pads: Sides;
  /** Height and width of what comes out. */
  readonly output: readonly [number, number];
};

/** The window of a convolution over images of `shape`, [count, height, width, channels]. */
export function convolutionWindow(
  shape: readonly number[],
  filterShape: readonly number[],
  { strides, pad, dataFormat, dilations, dimRoundingMode }: KernelAttributes,
  isDepthwise = false,
): Window {
  if (dataFormat === 'NCHW') return untraceable('a convolution with channels first');
  return windowOf(
    tf.backend_util.computeConv2DInfo(
      [...shape] as Sides,
      [...filterShape] as Sides,
      (strides ?? 1) as [number, number],
      (dilations ?? 1) as [number, number],
      pad as Padding,
      dimRoundingMode,
      isDepthwise,
    ),
  );
}

/** The window of a pool over images of `shape`, [count, height, width, channels]. */
export function poolWindow(
  shape: readonly number[],
  { filterSize = 1, strides = 1, pad, dimRoundingMode }: KernelAttributes,
): Window {
  return windowOf(
    tf.backend_util.computePool2DInfo(
      [...shape] as Sides,
      filterSize,
      strides as [number, number],
      1,
      pad as Padding,
      dimRoundingMode,
    ),
  );
}

function windowOf(info: ReturnType<typeof tf.backend_util.computePool2DInfo>): Window {
  const { top, left, bottom, right } = info.padInfo;
  return {
    kernel: [info.filterHeight, info.filterWidth],
    strides: [info.strideHeight, info.strideWidth],
    dilations: [info.dilationHeight, info.dilationWidth],
    pads: [top, left, bottom, right],
    output: [info.outHeight, info.outWidth],
  };
}

/** The window as ONNX has it. */
export function windowAttributes({ kernel, strides, dilations, pads }: Window) {
  return { kernel_shape: kernel, strides, dilations, pads };
}

/** [count, height, width, channels] → [count, channels, height, width], as ONNX has images. */
export function channelsFirst(trace: TraceBackend, x: tf.TensorInfo): tf.TensorInfo {
  return transpose(trace, x, [0, 3, 1, 2]);
}

/** [count, channels, height, width] → [count, height, width, channels], as tfjs has images. */
export function channelsLast(trace: TraceBackend, x: tf.TensorInfo): tf.TensorInfo {
  return transpose(trace, x, [0, 2, 3, 1]);
}

/** A transpose, recorded. */
export function transpose(
  trace: TraceBackend,
  x: tf.TensorInfo,
  perm: readonly number[],
): tf.TensorInfo {
  const shape = perm.map((axis) => x.shape[axis] ?? 1);
  return trace.record('Transpose', [x], { shape, dtype: x.dtype }, { attributes: { perm } });
}

/** What a spreading gives back. */
export type Spreading = {
  readonly window: Window;
  /** Height and width of the images. */
  readonly size: readonly [height: number, width: number];
  readonly channels: number;
  readonly groups: number;
};

/**
 * Spreads what came out of a window over the images that went in: the transpose of a convolution.
 *
 * @param dy [count, outputs, height, width]
 * @param filter [outputs, inputs / groups, height, width]
 */
export function spread(
  trace: TraceBackend,
  dy: tf.TensorInfo,
  filter: tf.TensorInfo,
  { window, size: [height, width], channels, groups }: Spreading,
): tf.TensorInfo {
  const { kernel, strides, dilations, pads, output } = window;
  // Rows and columns at the end that no window reached.
  const reached = [0, 1].map((i) => {
    const extent = (kernel[i] ?? 1) - 1;
    return (
      ((output[i] ?? 1) - 1) * (strides[i] ?? 1) +
      extent * (dilations[i] ?? 1) +
      1 -
      (pads[i] ?? 0) -
      (pads[i + 2] ?? 0)
    );
  });
  const missed = [height - (reached[0] ?? 0), width - (reached[1] ?? 0)];
  const [top, left, bottom, right] = pads;
  // More padding than the last window needs: what is beyond is cut off instead.
  const attributes = {
    kernel_shape: kernel,
    strides,
    dilations,
    group: groups,
    pads: [top, left, bottom - Math.min(missed[0] ?? 0, 0), right - Math.min(missed[1] ?? 0, 0)],
    output_padding: missed.map((count) => Math.max(count, 0)),
  };
  const shape = [dy.shape[0] ?? 1, channels, height, width];
  return trace.record('ConvTranspose', [dy, filter], { shape, dtype: 'float32' }, { attributes });
}
