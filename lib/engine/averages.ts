import { invalid, invariant } from '../errors.ts';
import { limits } from '../limits.ts';
import { behindSlot } from '../network/weight-names.ts';
import type { Spec } from '../spec/spec.ts';
import type { CompiledModel, EngineState, Tensor, Tensors } from './engine.ts';

const slotName = `optimizer/${behindSlot}`;

/**
 * A model that answers by the average of its weights, where its optimizer keeps one.
 *
 * @throws MillraceError kind `invalid` if it has more weights than a message may pass over
 */
export function answeringByAverage({ optimizer }: Spec, compiled: CompiledModel): CompiledModel {
  if (optimizer.averageDecay === undefined) return compiled;
  const initial = compiled.initial().tensors;
  const size = slotOf(initial).data.length;
  if (size > limits.averagedWeights)
    throw invalid(
      'spec.optimizer.averageDecay: each message passes over all weights then, of which there may be ' +
        `${limits.averagedWeights} (found ${size}); leave it out, or make tables smaller`,
    );
  const nothing: Tensor = { shape: [size], data: new Float32Array(size) };
  const names = Object.keys(initial).filter((name) => name.startsWith('weights/'));
  // Of the state that was asked last: a message is predicted in several blocks.
  let last:
    | { readonly of: readonly (Tensor | undefined)[]; readonly averaged: Tensors }
    | undefined;
  const answering = (state: EngineState): EngineState => {
    const of = [...names, slotName].map((name) => state.tensors[name]);
    if (!last?.of.every((tensor, i) => tensor === of[i]))
      last = { of, averaged: averagesOf(names, state.tensors) };
    return { ...state, tensors: { ...state.tensors, ...last.averaged, [slotName]: nothing } };
  };
  return {
    ...compiled,
    answering,
    predict: (state, samples) => compiled.predict(answering(state), samples),
  };
}

/**
 * The averages of trained weights: the weights, and how far behind them their average is, which is
 * one vector over all of them in their order. Names of others come after theirs.
 */
function averagesOf(names: readonly string[], tensors: Tensors): Tensors {
  const behind = slotOf(tensors).data;
  const averages: Record<string, Tensor> = {};
  let offset = 0;
  for (const name of names) {
    const own = tensors[name];
    invariant(own !== undefined, `a state has no tensor ${name}`);
    if (offset === behind.length) break;
    const start = offset;
    const data = own.data.map((weight, i) => weight + (behind[start + i] ?? 0));
    averages[name] = { shape: own.shape, data };
    offset += data.length;
  }
  invariant(offset === behind.length, `${slotName} is not over all trained weights`);
  return averages;
}

function slotOf(tensors: Tensors): Tensor {
  const slot = tensors[slotName];
  invariant(slot !== undefined, `a state has no tensor ${slotName}`);
  return slot;
}
