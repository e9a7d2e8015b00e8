import { layoutOf } from '../../features/columns.ts';
import { hashIntegers } from '../../features/hash.ts';
import { labelWidth } from '../../features/task.ts';
import { type Expert, isNetwork, type NetworkExpert } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type { LabelKind } from './labels.ts';

/** An expert's place in the whole. */
export type Part = {
  readonly expert: Expert;
  /** Its part of the names of tensors. */
  readonly name: string;
  /** Its place among the views of standardised numbers; −1 stands for the usual ones. */
  readonly view: number;
  readonly labels: LabelKind;
  /** What it would be on its own, if it is a network. */
  readonly spec?: Spec;
};

/** The experts of a spec, each with its place. */
export function partsOf(spec: Spec, experts: readonly Expert[]): readonly Part[] {
  const views = [...new Set(experts.flatMap((expert) => halfLifeOf(expert) ?? []))];
  return experts.map((expert, i) => ({
    expert,
    name: `expert_${i + 1}`,
    view: views.indexOf(halfLifeOf(expert) ?? 0),
    labels: {
      isBinary: spec.task === 'binary',
      grows: spec.label.maxClasses !== undefined,
      width: labelWidth(spec.label),
    },
    ...(isNetwork(expert) ? { spec: specOf(spec, expert, i) } : {}),
  }));
}

function halfLifeOf(expert: Expert): number | undefined {
  return isNetwork(expert) ? expert.halfLife : undefined;
}

/** What an expert would be on its own. */
function specOf(spec: Spec, expert: NetworkExpert, index: number): Spec {
  const { hidden, activation, rate, secondOrder } = expert;
  const { fourier, piecewiseLinear, quadratic } = expert;
  const { experts: _, replay, drift: __, ...alone } = spec.online;
  // (An engine is chosen by how many rows a step has.)
  const online = expert.replay && replay ? { ...alone, replay } : alone;
  const usual =
    'topology' in spec.network ? { hidden: [], activation: 'relu' as const } : spec.network;
  const { optimizer } = spec;
  return {
    ...spec,
    network: {
      ...usual,
      hidden: hidden ?? usual.hidden,
      activation: activation ?? usual.activation,
      ...(fourier && { fourier }),
      ...(piecewiseLinear && { piecewiseLinear }),
      ...(quadratic && { quadratic }),
      // (Of categories it is linear too.)
      ...(secondOrder && { wide: layoutOf(spec).categoryCount > 0 }),
    },
    optimizer: secondOrder
      ? { type: 'sgd', rate: 1 }
      : rate === undefined
        ? optimizer
        : { ...optimizer, rate },
    seed: hashIntegers(spec.seed, index),
    online,
  };
}
