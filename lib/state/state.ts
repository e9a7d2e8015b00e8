import type { EngineState, Tensors } from '../engine/engine.ts';
import type { FeatureStatistics } from '../features/statistics.ts';
import type { Lately } from '../metrics/lately.ts';
import type { StreamOutcomes } from '../metrics/outcomes.ts';
import type { Prior } from '../metrics/prior.ts';
import type { Scores } from '../metrics/scores.ts';
import type { Drift } from './drift.ts';
import type { Ledger } from './ledger.ts';
import type { Replay } from './replay.ts';

/** A model's parameters: what a batch job trains in its lane and hands over when it is promoted. */
export type Parameters = EngineState & {
  /** Running mean and variance of the number features. */
  readonly statistics: FeatureStatistics;
  /** Old samples that are learnt again; of specs that say so. */
  readonly replay?: Replay | undefined;
  /** What is known of changes of the stream; of specs that say so. */
  readonly drift?: Drift | undefined;
};

/** The parameters of a state alone. */
export function parametersOf(parameters: Parameters): Parameters {
  const { tensors, step, seed, statistics, replay, drift } = parameters;
  return { tensors, step, seed, statistics, ...(replay && { replay }), ...(drift && { drift }) };
}

/** Everything that training changes: the fold of a model's journal up to `sequence`. */
export type State = Parameters & {
  readonly model: string;
  /** The journal entry up to which this state is folded; 0 before the first. */
  readonly sequence: number;
  /**
   * The nonce of that entry, which no other journal has; unknown before the first, and to release
   * 0.1.0.
   */
  readonly nonce?: string | undefined;
  /** The spec that holds. */
  readonly specHash: string;
  /** The entry that put it in force; absent while it is the first. */
  readonly specSince?: number | undefined;
  /** The arithmetic that folded it; unknown before the first entry. */
  readonly arithmetic?: string | undefined;
  /** The arithmetic that its last entry names. */
  readonly entryArithmetic?: string | undefined;
  readonly ledger: Ledger;
  /**
   * Progressive scores since the model began, or learnt its journal by another spec: every sample
   * was predicted before it was learnt.
   */
  readonly scores: Scores;
  /** What the labels' mean or shares alone earned meanwhile; absent in models of before 0.4. */
  readonly prior?: Prior;
  /** What was earned lately; of specs since revision 5. */
  readonly lately?: Lately;
  /** How its predictions turned out; of specs since revision 6. */
  readonly outcomes?: StreamOutcomes;
  /** Samples learnt from the stream. */
  readonly learnt: number;
  /** The batch job whose weights were promoted last, and the entry that did it. */
  readonly promoted?: Promoted;
  /**
   * The last entry that put other weights in place, promotions aside; unknown where a release
   * before 0.29 folded it.
   */
  readonly replaced?: Replaced | undefined;
  /**
   * The retractions so far: the first entry that held what was retracted, and the entry that did
   * it.
   */
  readonly retractions: readonly { readonly from: number; readonly sequence: number }[];
};

/** A batch job, and the entry that promoted it. */
export type Promoted = { readonly job: string; readonly sequence: number };

/** An entry that put other weights in place, promotions aside. */
export type Replaced = Origin & {
  readonly sequence: number;
  /** Of a rollback, the entry whose weights came back. */
  readonly to?: number | undefined;
};

/** Where weights come from: the job that they are of, and the rollback that they go on from. */
export type Origin = {
  readonly promoted?: Promoted | undefined;
  readonly rollback?: Rollback | undefined;
};

/** An entry that went back, and the entry whose weights came back. */
export type Rollback = { readonly sequence: number; readonly to: number };

type Replacements = Pick<State, 'promoted' | 'replaced'>;

/** The entry that put a state's weights in place, unless a promotion did, or nothing is known. */
function replacedInForce({ promoted, replaced }: Replacements): Replaced | undefined {
  return replaced && (promoted?.sequence ?? 0) > replaced.sequence ? undefined : replaced;
}

/** The batch job that a state's weights are of, as far as is known. */
export function jobInForce(state: Replacements): Promoted | undefined {
  const replaced = replacedInForce(state);
  return replaced === undefined ? state.promoted : replaced.promoted;
}

/** The rollback that a state's weights go on from, if nothing put others in place since. */
export function rollbackInForce(state: Replacements): Rollback | undefined {
  const { sequence, to, rollback } = replacedInForce(state) ?? {};
  return sequence === undefined || to === undefined ? rollback : { sequence, to };
}

/** A state with what another one has earned. */
export function withEarnings(
  state: State,
  { scores, prior, lately, outcomes }: Pick<State, 'scores' | 'prior' | 'lately' | 'outcomes'>,
): State {
  const { prior: _, lately: __, outcomes: ___, ...rest } = state;
  return {
    ...rest,
    scores,
    ...(prior && { prior }),
    ...(lately && { lately }),
    ...(outcomes && { outcomes }),
  };
}

/** How many bytes tensors have. */
export function bytesOf(tensors: Tensors): number {
  return Object.values(tensors).reduce((sum, { shape }) => sum + bytesOfShape(shape), 0);
}

function bytesOfShape(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, Float32Array.BYTES_PER_ELEMENT);
}
