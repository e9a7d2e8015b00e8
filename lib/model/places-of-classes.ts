import type { Tensors } from '../engine/engine.ts';
import { isNever, namesOfClasses, never } from '../features/classes.ts';
import type { Layout } from '../features/samples.ts';
import type { Parameters } from '../state/state.ts';

/** What the last layer of a network of hidden layers adds to its logits, and trees to theirs. */
const outputBias = /^weights\/(?:expert_\d+\/)?(?:output\/bias|trees\/base)$/;

/**
 * Parameters whose networks know the classes that have places: others are never predicted, and cost
 * those that have come nothing. One that gets its place now starts as its seed has it, and no more
 * probable than the others.
 */
export function withPlaces(parameters: Parameters, layout: Layout): Parameters {
  const names = namesOfClasses(layout, parameters.statistics);
  if (names === undefined) return parameters;
  const changed: Record<string, Tensors[string]> = {};
  for (const [name, tensor] of Object.entries(parameters.tensors)) {
    if (!outputBias.test(name)) continue;
    const isRight = tensor.data.every((bias, place) => isNever(bias) === place >= names.length);
    if (isRight) continue;
    const known = tensor.data.filter((bias, place) => !isNever(bias) && place < names.length);
    // (Before any class has come, all are as the seed has them.)
    const least = known.length === 0 ? 0 : known.reduce((a, b) => Math.min(a, b));
    const data = tensor.data.map((bias, place) => {
      if (place >= names.length) return never;
      return isNever(bias) ? least : bias;
    });
    changed[name] = { ...tensor, data };
  }
  return { ...parameters, tensors: { ...parameters.tensors, ...changed } };
}
