import type { EncodedSamples } from '../../features/samples.ts';
import type { Range } from '../../features/scaling.ts';
import { followsNumbers } from '../../spec/default-experts.ts';
import { type Expert, isNetwork, isStack } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type {
  CompiledModel,
  Engine,
  EngineState,
  Experts,
  Run,
  Tensor,
  Trained,
} from '../engine.ts';
import { isFiniteArray, isFiniteState, markFinite } from '../finite.ts';
import { named, partOf, wholeOf } from './expert-parts.ts';
import { heard, withoutKnowledge } from './heard.ts';
import { judgedBy, noJudgement } from './judgement.ts';
import { keeperOf } from './keepers.ts';
import { constantAnswer, withLabels, withShares } from './labels.ts';
import { lastLabelAmong } from './last-label.ts';
import { answeringWeights, chosen, mixed, reweighed } from './mixture.ts';
import { emptyMixture, mixtureOf, withMixture } from './mixture-tensors.ts';
import { type Part, partsOf } from './parts.ts';
import { withRecent } from './recent-labels.ts';
import { bySecondOrder } from './second-order.ts';
import { stackAmong, stackedAnswer } from './stack.ts';
import { stackSums, withStack } from './stack-learning.ts';

/** An expert that is ready: it predicts, and trains if it is a network or keeps samples. */
type Learner = Omit<Part, 'spec'> & { readonly compiled?: CompiledModel };

/**
 * Compiles the experts of a spec as one model. Their tensors have the expert's name inside theirs:
 * `weights/expert_1/…`.
 */
export async function compileExperts(
  engine: Engine,
  spec: Spec,
  experts: readonly Expert[],
): Promise<CompiledModel> {
  const learners = await Promise.all(
    partsOf(spec, experts).map((part) => learnerOf(engine, spec, part)),
  );
  const isWeighted = (spec.revision ?? 0) >= 4;
  const compiled = learners.flatMap((learner) => learner.compiled ?? []);
  const outputs = compiled[0]?.outputs ?? 1;
  const answering = (state: EngineState) => answeringWeights(spec, mixtureOf(state));
  const stack = stackAmong(spec, experts);
  const lastLabel = lastLabelAmong(spec, experts);
  const areNetworks = experts.map(isNetwork);
  const numbersOf = (each: readonly Float32Array[], are: readonly boolean[] = areNetworks) =>
    heard(each, are, { outputs, nothing: withoutKnowledge(spec) });
  const predictEach: Experts['predictEach'] = async (state, samples, ranges = []) => {
    const others = await predictOthers(learners, state, samples);
    const each = others.map((own) => within(own, ranges));
    if (stack === undefined) return each;
    const said = numbersOf(each, areNetworks.toSpliced(stack.index, 1));
    const answer = stackedAnswer(stack, state, said, samples.count);
    return each.toSpliced(stack.index, 0, within(answer, ranges));
  };
  return {
    ...wholeOf(compiled),
    outputs,
    initial: () => initialState(spec, learners),
    train: (state, samples, run) => trainAll(learners, state, samples, run),
    predict: async (state, samples) =>
      mixed(answering(state), numbersOf(await predictEach(state, samples))),
    ...(compiled.some(({ answering }) => answering !== undefined) && {
      answering: (state) =>
        eachPart(learners, state, ({ answering = (own) => own }, part) => answering(part)),
    }),
    restart: (state, rows) => eachPart(learners, state, ({ restart }, part) => restart(part, rows)),
    experts: {
      count: learners.length,
      predictEach,
      mix: (state, each) => mixed(answering(state), numbersOf(each)),
      losses: (state, all, before = noJudgement(learners.length)) => {
        const said = isWeighted ? all : { ...all, weights: undefined };
        const judgement = lastLabel.judged(state, judgedBy(spec, before, said));
        if (stack === undefined) return judgement;
        const answers = { ...said, each: numbersOf(said.each) };
        const learning = lastLabel.learning(stack, state);
        return { ...judgement, stack: stackSums(learning, state, answers, before.stack) };
      },
      judge(state, judgement) {
        const mixture = reweighed(spec, mixtureOf(state), judgement, lastLabel.constants);
        const judged = withMixture(state, mixture);
        const { stack: sums } = judgement;
        if (stack === undefined || sums === undefined) return judged;
        return withStack(lastLabel.learning(stack, state), judged, sums, judgement);
      },
      // (Held-out rows are to be judged by, not to be learnt.)
      choose: (state, judgement) =>
        withMixture(state, chosen(spec, judgement, lastLabel.constants)),
      settle: (state, { labels, ...known }) =>
        withRecent(spec, withLabels(state, isWeighted ? { labels, ...known } : { labels }), known),
      share: (state, known) =>
        isWeighted ? withRecent(spec, withShares(state, known), known) : state,
    },
  };
}

async function learnerOf(
  engine: Engine,
  spec: Spec,
  { spec: own, ...part }: Part,
): Promise<Learner> {
  const { expert, view } = part;
  const keeper = keeperOf(spec, part);
  if (keeper !== undefined) return { ...part, compiled: keeper };
  if (own === undefined) return part;
  const network = await engine.compile(own);
  if (!isNetwork(expert) || !expert.secondOrder) return { ...part, compiled: network };
  // (What forgets means what is relative to the latest samples.)
  return { ...part, compiled: bySecondOrder(own, network, view < 0 && followsNumbers(spec)) };
}

function initialState(spec: Spec, learners: readonly Learner[]): EngineState {
  const { seed } = spec;
  const tensors = learners.map(({ compiled, name }) =>
    compiled === undefined ? {} : named(name, compiled.initial().tensors),
  );
  return {
    tensors: Object.assign(
      {},
      ...tensors,
      emptyMixture(
        spec,
        learners.map(({ expert }) => expert),
      ),
    ),
    step: 0,
    seed,
  };
}

/** Samples as an expert sees them. */
function seenBy({ view }: Learner, samples: EncodedSamples): EncodedSamples {
  const numbers = samples.views?.[view];
  return numbers === undefined ? samples : { ...samples, numbers, raw: numbers };
}

/** What all but a stack of them predict. */
async function predictOthers(
  learners: readonly Learner[],
  state: EngineState,
  samples: EncodedSamples,
): Promise<readonly Float32Array[]> {
  const each: Float32Array[] = [];
  for (const learner of learners) {
    const { compiled, expert, name, labels } = learner;
    if (isStack(expert)) continue;
    each.push(
      compiled === undefined
        ? repeated(constantAnswer(state, expert, labels), samples.count)
        : await compiled.predict(partOf(state, name), seenBy(learner, samples)),
    );
  }
  return each;
}

/** Predictions no further than the range of each output. */
function within(predictions: Float32Array, ranges: readonly (Range | undefined)[]): Float32Array {
  if (ranges.every((range) => range === undefined)) return predictions;
  return predictions.map((value, i) => {
    const range = ranges[i % ranges.length];
    return range === undefined ? value : Math.min(Math.max(value, range[0]), range[1]);
  });
}

function repeated(answer: Float32Array, count: number): Float32Array {
  const all = new Float32Array(count * answer.length);
  for (let row = 0; row < count; row++) all.set(answer, row * answer.length);
  return all;
}

/** What one network learnt. */
type Learnt = Trained & { readonly name: string; readonly weight: number };

/**
 * What all networks learn of a run. Where one would have weights or slots that are no numbers, it
 * stays what it was, unless all would: then nobody can learn it.
 */
async function trainAll(
  learners: readonly Learner[],
  state: EngineState,
  samples: EncodedSamples,
  run: Run,
): Promise<Trained> {
  const { replayed, ...all } = run;
  const fresh = replayed === undefined ? all : { ...all, ...replayed.without };
  const { weights } = mixtureOf(state);
  const each: Learnt[] = [];
  const tensors: Record<string, Tensor> = { ...state.tensors };
  for (const [i, learner] of learners.entries()) {
    const { compiled, expert, name } = learner;
    if (compiled === undefined) continue;
    if (!isNetwork(expert)) {
      const learnt = await compiled.train(partOf(state, name), seenBy(learner, samples), fresh);
      Object.assign(tensors, named(name, learnt.state.tensors));
      continue;
    }
    const own = { ...(expert.replay ? all : fresh), rate: expert.rate ?? run.rate };
    const learnt = await compiled.train(partOf(state, name), seenBy(learner, samples), own);
    each.push({ ...learnt, name, weight: weights[i] ?? 0 });
  }
  const finite = each.filter(isWhole);
  const taken = finite.length > 0 ? finite : each;
  const losses = new Float64Array(taken[0]?.losses.length ?? 0);
  let share = 0;
  for (const { name, weight, state: own, losses: ownLosses } of taken) {
    Object.assign(tensors, named(name, own.tensors));
    share += weight;
    for (const [at, loss] of ownLosses.entries()) losses[at] = (losses[at] ?? 0) + weight * loss;
  }
  // (What needs no network is not trained, and has no loss.)
  return {
    state: { tensors, step: taken[0]?.state.step ?? state.step, seed: state.seed },
    losses: Float32Array.from(losses, (loss) => loss / share),
  };
}

/** Whether all that a network learnt are numbers; nobody need look again. */
function isWhole({ state: { tensors }, losses }: Learnt): boolean {
  const isSo = isFiniteArray(losses) && isFiniteState(tensors);
  if (isSo) markFinite(tensors);
  return isSo;
}

/** The state in which each network's part is another. */
function eachPart(
  learners: readonly Learner[],
  state: EngineState,
  changed: (compiled: CompiledModel, part: EngineState) => EngineState,
): EngineState {
  const parts = learners.map(({ compiled, name }) =>
    compiled === undefined ? {} : named(name, changed(compiled, partOf(state, name)).tensors),
  );
  return { ...state, tensors: Object.assign({}, state.tensors, ...parts) };
}
