import { invariant } from '../errors.ts';
import { behindSlot } from '../network/weight-names.ts';
import type { Spec } from '../spec/spec.ts';
import type { CompiledModel, EngineState, Tensor, Tensors } from './engine.ts';

const slotName = `optimizer/${behindSlot}`;

/** A model that answers by the average of its weights, where its optimizer keeps one. */
export function answeringByAverage({ optimizer }: Spec, compiled: CompiledModel): CompiledModel {
  if (optimizer.averageDecay === undefined) return compiled;
  const initial = compiled.initial().tensors;
  const known = new WeakMap<Tensor, EngineState>();
  const answering = (state: EngineState): EngineState => {
    const slot = slotOf(state.tensors);
    const averaged = known.get(slot) ?? averagedState(initial, state);
    known.set(slot, averaged);
    return { ...state, tensors: averaged.tensors };
  };
  return {
    ...compiled,
    answering,
    predict: (state, samples) => compiled.predict(answering(state), samples),
  };
}

/**
 * The state whose weights are the averages of a state's: weights and how far behind them their
 * average is, which is one vector over all trained weights in their order; others come after them.
 */
function averagedState(initial: Tensors, state: EngineState): EngineState {
  const behind = slotOf(state.tensors);
  const averaged: Record<string, Tensor> = {};
  let offset = 0;
  for (const name of Object.keys(initial)) {
    const own = state.tensors[name];
    if (!name.startsWith('weights/') || own === undefined || offset >= behind.data.length) continue;
    const start = offset;
    averaged[name] = {
      shape: own.shape,
      data: own.data.map((weight, i) => weight + (behind.data[start + i] ?? 0)),
    };
    offset += own.data.length;
  }
  invariant(offset === behind.data.length, `${slotName} is not over all trained weights`);
  const nothing = { shape: behind.shape, data: new Float32Array(behind.data.length) };
  return { ...state, tensors: { ...state.tensors, ...averaged, [slotName]: nothing } };
}

function slotOf(tensors: Tensors): Tensor {
  const slot = tensors[slotName];
  invariant(slot !== undefined, `a state has no tensor ${slotName}`);
  return slot;
}
