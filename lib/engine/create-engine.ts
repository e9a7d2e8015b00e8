import { invalid } from '../errors.ts';
import type { Spec } from '../spec/spec.ts';
import type { CompiledModel, Engine, GraphCache } from './engine.ts';
import { onnxEngine } from './onnx/onnx.ts';
import { UntraceableError } from './onnx/untraceable.ts';

/** tfjs is loaded only where it is needed: it takes longer than all the rest of a cold start. */
async function compileOnTfjs(spec: Spec): Promise<CompiledModel> {
  const { tfjsEngine } = await import('./tfjs.ts');
  return tfjsEngine.compile(spec);
}

/** Settings of {@link createEngine}. */
export type EngineSettings = {
  /** Threads of one operator. */
  readonly threads: number;
  /** Where compiled graphs are kept; without one they are compiled by each process. */
  readonly cache?: GraphCache;
  readonly warn: (message: string, fields: Readonly<Record<string, unknown>>) => void;
};

/**
 * The engine that a spec asks for: ONNX Runtime, or tfjs itself if the network cannot be traced or
 * this machine has no ONNX Runtime. With `"engine": "onnx"` in the spec, the latter is an error.
 */
export function createEngine({ threads, cache, warn }: EngineSettings): Engine {
  const native = onnxEngine({ threads, ...(cache === undefined ? {} : { cache }) });
  return {
    async compile(spec) {
      if (spec.engine === 'tfjs') return compileOnTfjs(spec);
      try {
        return await native.compile(spec);
      } catch (error) {
        if (!(error instanceof UntraceableError)) throw error;
        const { message } = error;
        if (spec.engine === 'onnx') {
          throw invalid(
            `spec.engine: onnx cannot train this network: ${message}; leave engine out for tfjs`,
            error,
          );
        }
        warn('the model trains on tfjs, many times slower than on onnx', {
          model: spec.model,
          reason: message,
        });
        return compileOnTfjs(spec);
      }
    },
  };
}
