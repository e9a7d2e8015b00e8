import { invalid } from '../errors.ts';
import type { Spec } from '../spec/spec.ts';
import { answeringByAverage } from './averages.ts';
import type { CompiledModel, Engine, GraphCache } from './engine.ts';
import { compileExperts } from './experts/compile-experts.ts';
import { onnxEngine } from './onnx/onnx.ts';
import { UntraceableError } from './trace/untraceable.ts';
import { wasmEngine } from './wasm/wasm.ts';

/** Settings of {@link createEngine}. */
export type EngineSettings = {
  /** Threads of one operator of ONNX Runtime. */
  readonly threads: number;
  /** Where compiled graphs are kept; without one they are compiled by each process. */
  readonly cache?: GraphCache;
  readonly warn: (message: string, fields: Readonly<Record<string, unknown>>) => void;
};

/** The kinds of engine, the first choice first. */
const kinds = ['wasm', 'onnx', 'tfjs'] as const;

/**
 * The engine that a spec asks for. If it names none, it is the first that can train the network, by
 * the spec alone: WebAssembly for small networks, then ONNX Runtime, then tfjs itself. One that is
 * named and cannot is an error.
 */
export function createEngine({ threads, cache, warn }: EngineSettings): Engine {
  const kept = cache === undefined ? {} : { cache };
  const engines: Record<(typeof kinds)[number], Engine> = {
    wasm: wasmEngine(kept),
    onnx: onnxEngine({ threads, ...kept }),
    tfjs: { compile: compileOnTfjs },
  };
  const alone: Engine = {
    async compile(spec) {
      const { engine } = spec;
      if (engine !== undefined)
        return compileNamed(engines[engine === 'wasm-fma' ? 'wasm' : engine], spec);
      const reasons: string[] = [];
      // (Models of before 0.6 stay with the engine whose bits they have.)
      for (const kind of (spec.revision ?? 0) < 2 ? kinds.slice(1) : kinds) {
        if (kind === 'tfjs') {
          warn('the model trains on tfjs, many times slower than on the other engines', {
            model: spec.model,
            reason: reasons.at(-1),
          });
        }
        try {
          const compiled = await engines[kind].compile(spec);
          return reasons.length === 0 ? compiled : { ...compiled, why: reasons.join('; ') };
        } catch (error) {
          if (!(error instanceof UntraceableError)) throw error;
          reasons.push(error.message);
        }
      }
      throw invalid(`spec.network: no engine can train it: ${reasons.join('; ')}`);
    },
  };
  return {
    compile(spec) {
      const { experts } = spec.online;
      const each: Engine = {
        compile: async (own) => answeringByAverage(own, await alone.compile(own)),
      };
      return experts === undefined ? each.compile(spec) : compileExperts(each, spec, experts);
    },
  };
}

async function compileNamed(engine: Engine, spec: Spec): Promise<CompiledModel> {
  try {
    return await engine.compile(spec);
  } catch (error) {
    if (!(error instanceof UntraceableError)) throw error;
    throw invalid(
      `spec.engine: ${spec.engine} cannot train this network: ${error.message}; ` +
        'leave engine out for one that can',
      error,
    );
  }
}

/** tfjs is loaded only where it is needed: it takes longer than all the rest of a cold start. */
async function compileOnTfjs(spec: Spec): Promise<CompiledModel> {
  const { tfjsEngine } = await import('./tfjs.ts');
  return tfjsEngine.compile(spec);
}
