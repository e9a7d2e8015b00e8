import { invalid } from '../errors.ts';
import type { Engine } from './engine.ts';
import { onnxEngine } from './onnx/onnx.ts';
import { UntraceableError } from './onnx/trace-backend.ts';
import { tfjsEngine } from './tfjs.ts';

/** Settings of {@link createEngine}. */
export type EngineSettings = {
  /** Threads of one operator. */
  readonly threads: number;
  readonly warn: (message: string, fields: Readonly<Record<string, unknown>>) => void;
};

/**
 * The engine that a spec asks for: the native one, and tfjs itself where a network cannot be traced or this
 * machine has no ONNX Runtime. `"engine": "onnx"` in a spec turns the latter into an error.
 */
export function createEngine({ threads, warn }: EngineSettings): Engine {
  const native = onnxEngine({ threads });
  return {
    async compile(spec) {
      if (spec.engine === 'tfjs') return tfjsEngine.compile(spec);
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
        return tfjsEngine.compile(spec);
      }
    },
  };
}
