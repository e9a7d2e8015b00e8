import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { reasonOf } from '../../errors.ts';
import { UntraceableError } from '../trace/untraceable.ts';

/** What is used of ONNX Runtime. */
export type Runtime = {
  readonly createSession: (model: Uint8Array, threads: number) => Promise<InferenceSession>;
  readonly floats: (data: Float32Array, shape: readonly number[]) => Tensor;
  readonly integers: (data: Int32Array, shape: readonly number[]) => Tensor;
};

let loading: Promise<Runtime> | undefined;

/** Loads ONNX Runtime, once. @throws UntraceableError if there is none for this machine */
export function loadRuntime(): Promise<Runtime> {
  loading ??= load();
  return loading;
}

/**
 * The published package brings the runtime of Linux, for arm64 and x64. Elsewhere it is the one
 * that stands in the working folder's `node_modules`, if there is one.
 */
async function loadModule(): Promise<typeof import('onnxruntime-node')> {
  try {
    return await import('onnxruntime-node');
  } catch (cause) {
    try {
      return createRequire(join(process.cwd(), 'package.json'))('onnxruntime-node');
    } catch {
      throw cause;
    }
  }
}

async function load(): Promise<Runtime> {
  const { InferenceSession, Tensor } = await loadModule().catch((cause: unknown) => {
    throw new UntraceableError(
      `there is no ONNX Runtime for ${process.platform}-${process.arch}: ` + `${reasonOf(cause)}`,
    );
  });
  return {
    createSession: (model, threads) =>
      InferenceSession.create(model, {
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        // Warnings of its optimizer are of no use to anybody here.
        logSeverityLevel: 3,
      }),
    floats: (data, shape) => new Tensor('float32', data, shape),
    integers: (data, shape) => new Tensor('int32', data, shape),
  };
}
