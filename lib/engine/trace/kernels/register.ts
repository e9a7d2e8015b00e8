import * as tf from '@tensorflow/tfjs';
import type { TraceBackend } from '../trace-backend.ts';
import { UntraceableError } from '../untraceable.ts';
import { categories } from './categories.ts';
import { convolutions } from './convolutions.ts';
import { elementwise } from './elementwise.ts';
import { type KernelAttributes, type Recorders, untraceable } from './kernel.ts';
import { matrices } from './matrices.ts';
import { pools } from './pools.ts';
import { reductions } from './reductions.ts';
import { shapes } from './shapes.ts';

const recorders: Recorders = {
  ...elementwise,
  ...reductions,
  ...matrices,
  ...shapes,
  ...categories,
  ...convolutions,
  ...pools,
};

/** The name of the trace backend in tfjs. */
export const backendName = 'trace';
let isRegistered = false;

/** Registers a kernel of the trace backend for each one that tfjs' cpu backend has. */
export function registerKernels(): void {
  if (isRegistered) return;
  isRegistered = true;
  for (const { kernelName } of tf.getKernelsForBackend('cpu')) {
    const record = recorders[kernelName];
    tf.registerKernel({
      kernelName,
      backendName,
      kernelFunc({ inputs, attrs, backend }) {
        const trace = backend as TraceBackend;
        const tensors = Object.values(inputs).flat() as tf.TensorInfo[];
        const areKnown = tensors.every((tensor) => trace.value(tensor).data !== undefined);
        if (tensors.length > 0 && areKnown) return compute(trace, kernelName, inputs, attrs ?? {});
        const input = (name: string) => {
          const found = inputs[name];
          return found === undefined || Array.isArray(found)
            ? untraceable(`${kernelName} without ${name}`)
            : found;
        };
        try {
          if (record === undefined) return untraceable(kernelName);
          return record(trace, input, (attrs ?? {}) as KernelAttributes, inputs);
        } catch (error) {
          const layer = trace.layerOf(tensors);
          if (!(error instanceof UntraceableError) || layer === undefined) throw error;
          throw new UntraceableError(`${error.message}, in the layer ${layer}`);
        }
      },
    });
  }
}

/** Runs a kernel on constants, on tfjs' cpu backend. */
function compute(
  trace: TraceBackend,
  kernelName: string,
  inputs: tf.NamedTensorInfoMap,
  attrs: tf.NamedAttrMap,
): tf.TensorInfo | tf.TensorInfo[] {
  const cpu = tf.engine().findBackend('cpu');
  const onCpu = (tensor: tf.TensorInfo): tf.TensorInfo => {
    const data = trace.value(tensor).data ?? new Float32Array();
    return { ...tensor, dataId: cpu.write(data.slice(), tensor.shape, tensor.dtype) };
  };
  const moved = Object.fromEntries(
    Object.entries(inputs).map(([name, tensor]) => [
      name,
      Array.isArray(tensor) ? tensor.map(onCpu) : onCpu(tensor as tf.TensorInfo),
    ]),
  );
  const results = tf
    .getKernel(kernelName, 'cpu')
    .kernelFunc({ inputs: moved as tf.NamedTensorInfoMap, attrs, backend: cpu });
  const back = ({ dataId, shape, dtype }: tf.TensorInfo) => {
    const values = cpu.readSync(dataId) as ArrayLike<number>;
    return dtype === 'float32'
      ? trace.constant(Float32Array.from(values), shape)
      : trace.constant(Int32Array.from(values), shape, dtype === 'bool' ? 'bool' : 'int32');
  };
  return Array.isArray(results) ? results.map(back) : back(results);
}
