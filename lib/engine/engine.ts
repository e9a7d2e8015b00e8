import type { EncodedSamples } from '../features/samples.ts';
import type { ColumnScales, LabelScale, Range } from '../features/scaling.ts';
import type { ScheduledRate } from '../network/schedules.ts';
import type { Spec } from '../spec/spec.ts';
import type { Judgement, Said } from './experts/judgement.ts';
import type { Known } from './experts/mixture.ts';

/** How long a network works on a sample, in products of numbers, about. */
export type Work = {
  readonly predicted: number;
  /** To learn it, but for what each step costs. */
  readonly learnt: number;
  /** What a step costs whatever it learns: an optimizer goes over all that it may change. */
  readonly step: number;
};

/** A named array of a state. */
export type Tensor = { readonly shape: readonly number[]; readonly data: Float32Array };

/** Weights (`weights/<layer>/<weight>`) and optimizer slots (`optimizer/<slot>`) by name. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** All that a training step changes. */
export type EngineState = {
  readonly tensors: Tensors;
  /** Gradient steps so far; with `seed` it decides all randomness of a step. */
  readonly step: number;
  readonly seed: number;
};

/** Which samples to learn, in which order, cut how. */
export type Run = ScheduledRate & {
  /** Rows of the samples in the order of learning; every row once, in order, unless given. */
  readonly order?: Int32Array;
  readonly minibatch: number;
  /** How the labels of a step are standardised, counted as rates are; unless they are not. */
  readonly labelScaleAt?: (step: number) => LabelScale | undefined;
  /** The same of numbers that do not forget, [numbers]; where an expert wants to know. */
  readonly numberScaleAt?: (step: number) => ColumnScales | undefined;
  /** Whether experts that keep the latest samples keep those that they have: these are known. */
  readonly keepsWindows?: boolean;
  /** Where some rows are learnt again: the run of those that do not replay. */
  readonly replayed?: {
    readonly without: { readonly order: Int32Array; readonly minibatch: number };
  };
};

/**
 * The state after a run, and the weighted mean loss of each of its minibatches, [⌈rows /
 * minibatch⌉].
 */
export type Trained = { readonly state: EngineState; readonly losses: Float32Array };

/**
 * A model that is ready to train. Samples come with standardised numbers and labels, which it
 * takes in float32. Arguments are never
 * changed, results share no memory, and the same input gives the same bits on the same kind of
 * processor.
 */
export type CompiledModel = {
  /** Name and version of the engine. Journal entries carry it: after a change, bits may differ. */
  readonly engine: string;
  /** Why those that come before it do not train it, where its spec names none. */
  readonly why?: string;
  readonly outputs: number;
  readonly work: Work;
  /** Weights from the spec's seed, and empty optimizer slots. */
  readonly initial: () => EngineState;
  /**
   * A whole run of minibatches in one call: ⌈rows / minibatch⌉ gradient steps, the last one may be
   * short.
   */
  readonly train: (state: EngineState, samples: EncodedSamples, run: Run) => Promise<Trained>;
  /** The state whose weights answer, where that is an average of those that are trained. */
  readonly answering?: (state: EngineState) => EngineState;
  /** Values or probabilities, [count, outputs]. */
  readonly predict: (state: EngineState, samples: EncodedSamples) => Promise<Float32Array>;
  /**
   * The state in which rows of tables, with the slots over them, are what they were in the
   * beginning. Of generated networks, which name their tables.
   */
  readonly restart: (state: EngineState, rows: readonly RestartedRows[]) => EngineState;
  /** What it is made of, where the spec has experts. */
  readonly experts?: Experts;
};

/** Rows that begin anew, of tables by their names in a state. */
export type RestartedRows = {
  readonly tables: readonly string[];
  readonly rows: ReadonlySet<number>;
};

/** Learners side by side, as a model sees them beside the one that they are together. */
export type Experts = {
  /** How many they are. */
  readonly count: number;
  /**
   * What each predicts, [count, outputs].
   *
   * @param ranges between which each output may be; any unless given
   */
  readonly predictEach: (
    state: EngineState,
    samples: EncodedSamples,
    ranges?: readonly (Range | undefined)[],
  ) => Promise<readonly Float32Array[]>;
  /** What they predict together. */
  readonly mix: (state: EngineState, each: readonly Float32Array[]) => Float32Array;
  /** What they lost on samples so far, with some more; on none before unless given. */
  readonly losses: (state: EngineState, said: Said, before?: Judgement) => Judgement;
  /** The state in which experts count by what they predicted. */
  readonly judge: (state: EngineState, judgement: Judgement) => EngineState;
  /**
   * The state in which experts count by what they predicted of samples that none has learnt, such
   * as held-out rows. Arguments as of {@link judge}.
   */
  readonly choose: Experts['judge'];
  /** The state after a stream's samples with these labels were learnt. */
  readonly settle: (state: EngineState, known: Known) => EngineState;
  /** The same of a dataset's samples, which are learnt in another order than they came. */
  readonly share: (state: EngineState, known: Known) => EngineState;
};

/** The port behind which networks are compiled and trained. */
export type Engine = {
  /** @throws MillraceError kind `invalid` if the spec declares a network that cannot be built */
  readonly compile: (spec: Spec) => Promise<CompiledModel>;
};

/** Keeps what was compiled, by name (`<hash>`); a name always means the same bytes. */
export type GraphCache = {
  readonly get: (name: string) => Promise<Uint8Array | undefined>;
  readonly put: (name: string, body: Uint8Array) => Promise<void>;
};
