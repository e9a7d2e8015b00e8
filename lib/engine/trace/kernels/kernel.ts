import * as tf from '@tensorflow/tfjs';
import type { TraceBackend } from '../trace-backend.ts';
import { UntraceableError } from '../untraceable.ts';

/** The attributes of tfjs kernels that are used, by their names there. */
export type KernelAttributes = {
  readonly activation?: string;
  readonly alpha?: number;
  readonly axis?: number | number[];
  readonly batchDims?: number;
  readonly begin?: number[];
  readonly clipValueMax?: number;
  readonly clipValueMin?: number;
  readonly constantValue?: number;
  readonly dataFormat?: string;
  readonly depth?: number;
  readonly dilations?: number | [number, number];
  readonly dim?: number;
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
  readonly dims?: number | number[];
  readonly dtype?: tf.DataType;
  readonly filterShape?: number[];
  readonly filterSize?: number | [number, number];
  readonly inputShape?: number[];
  readonly keepDims?: boolean;
  readonly leakyreluAlpha?: number;
  readonly numOrSizeSplits?: number | number[];
  readonly numSegments?: number;
  readonly offValue?: number;
  readonly onValue?: number;
  readonly pad?: string | number;
  readonly paddings?: [number, number][];
  readonly perm?: number[];
  readonly reductionIndices?: number | number[];
  readonly reps?: number[];
  readonly shape?: number[];
  readonly size?: number[];
  readonly strides?: number | number[];
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly value?: number;
  readonly varianceEpsilon?: number;
};

/** The inputs of a tfjs kernel by name. A missing one is an error of tfjs. */
export type KernelInputs = (name: string) => tf.TensorInfo;

/** Records what one tfjs kernel does. */
export type Recorder = (
  trace: TraceBackend,
  inputs: KernelInputs,
  attributes: KernelAttributes,
  all: tf.NamedTensorInfoMap,
) => tf.TensorInfo | tf.TensorInfo[];

/** Recorders by the name of their tfjs kernel. */
export type Recorders = Readonly<Record<string, Recorder>>;

/** The shape of an elementwise operator's output. */
export function broadcast(a: tf.TensorInfo, b: tf.TensorInfo): number[] {
  return tf.broadcast_util.assertAndGetBroadcastShape(a.shape, b.shape);
}

/** Axes as non-negative numbers; all of them where none is given. */
export function axesOf(axis: number | number[] | undefined, { shape }: tf.TensorInfo): number[] {
  return tf.util.parseAxisParam(axis ?? shape.map((_, i) => i), shape);
}

/** A reshape, recorded. */
export function reshape(
  trace: TraceBackend,
  x: tf.TensorInfo,
  shape: readonly number[],
): tf.TensorInfo {
  return trace.record('Reshape', [x, trace.integers(shape)], { shape, dtype: x.dtype });
}

/** A number as a constant. */
export function scalar(
  trace: TraceBackend,
  value: number,
  dtype: tf.DataType = 'float32',
): tf.TensorInfo {
  return dtype === 'int32'
    ? trace.constant(Int32Array.of(value), [], 'int32')
    : trace.constant(Float32Array.of(value), []);
}

/** @throws UntraceableError */
export function untraceable(kernelName: string): never {
  throw new UntraceableError(`the kernel ${kernelName} has no form in the trace`);
}
