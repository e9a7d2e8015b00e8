import type { Expert } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type { EngineState, Tensors } from '../engine.ts';
import { emptyLabels, vector } from './labels.ts';
import { firstMixture, type Mixture } from './mixture.ts';
import { emptyRecentLabels } from './recent-labels.ts';
import { emptyStack, stackAmong } from './stack.ts';

const [mixtureWeights, mixtureUsual, mixtureErrors, mixtureLongRun] = [
  'weights/mixture/weights',
  'weights/mixture/usual',
  'weights/mixture/errors',
  'weights/mixture/long_run',
] as const;

/** Whether tensors are those of experts, not of one network. */
export function isMixture(tensors: Tensors): boolean {
  return mixtureWeights in tensors;
}

/** What a state knows of experts beside their networks, before the first sample. */
export function emptyMixture(spec: Spec, experts: readonly Expert[]): Tensors {
  const stack = stackAmong(spec, experts);
  return {
    ...mixtureTensors(firstMixture(spec, experts)),
    ...emptyLabels(spec, experts),
    ...emptyRecentLabels(spec, experts),
    ...(stack && emptyStack(stack)),
  };
}

function mixtureTensors({ weights, usual, errors, longRun }: Mixture): Tensors {
  return {
    [mixtureWeights]: vector(weights),
    [mixtureUsual]: vector(usual),
    [mixtureErrors]: vector(errors),
    ...(longRun && { [mixtureLongRun]: vector([...longRun.roots, longRun.weight]) }),
  };
}

/** A state whose experts count as a mixture says. */
export function withMixture(state: EngineState, mixture: Mixture): EngineState {
  return { ...state, tensors: { ...state.tensors, ...mixtureTensors(mixture) } };
}

/** How much each expert counts in a state. */
export function mixtureOf({ tensors }: EngineState): Mixture {
  const own = (name: string) => Float64Array.from(tensors[name]?.data ?? []);
  const longRun = own(mixtureLongRun);
  return {
    weights: own(mixtureWeights),
    usual: own(mixtureUsual),
    errors: own(mixtureErrors),
    ...(longRun.length > 0 && {
      longRun: { roots: longRun.slice(0, -1), weight: longRun.at(-1) ?? 0 },
    }),
  };
}
