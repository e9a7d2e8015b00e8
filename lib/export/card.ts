import { classNames } from '../features/class-weights.ts';
import type { StreamMetrics } from '../metrics/stream-metrics.ts';
import { isNetwork, isOfNeighbours } from '../spec/experts-schema.ts';
import type { Spec } from '../spec/spec.ts';
import { jobInForce, rollbackInForce, type State } from '../state/state.ts';
import { inputRow } from './card-inputs.ts';
import type { Exported } from './exported.ts';
import { code, someOf } from './markdown.ts';

/** What a model card says beside what is exported. */
export type CardFacts = {
  /** When the entry that the state is at was committed. */
  readonly time?: string | undefined;
  readonly stream?: StreamMetrics | undefined;
  /** How the files of the format are asked, as Markdown. */
  readonly usage: string;
};

/** The model card of an export, as Markdown: what it is, learnt from what, how good, how to ask. */
export function modelCard(exported: Exported, { time, stream, usage }: CardFacts): string {
  const { model, state, features } = exported;
  const { spec, name, specHash } = model;
  const at = `entry ${state.sequence}${time === undefined ? '' : ` of ${time}`}`;
  const promoted = jobInForce(state);
  const facts: readonly (readonly [string, string])[] = [
    ['answers', answerText(spec, classNames(spec, state.statistics))],
    ['learnt', learntText(state)],
    ...(spec.initialWeights === undefined
      ? []
      : [['began with', `the weights of a file, ${code(spec.initialWeights)}`] as const]),
    ...(promoted === undefined
      ? []
      : [['batch job', `${code(promoted.job)}, promoted by entry ${promoted.sequence}`] as const]),
    [`loss on its stream, ${lossText(spec)}`, streamText(stream, state.specSince)],
    ['network', networkText(spec)],
    ['trained by', `${model.compiled.engine}, ${spec.optimizer.type}`],
    ['spec', code(specHash)],
  ];
  return `# ${name}

Exported by \`millrace export\` from ${at} of its journal.

| | |
| --- | --- |
${facts.map(([what, text]) => `| ${what} | ${text} |`).join('\n')}

A loss on the stream is that of samples which were predicted before they were learnt. Folding the
journal to the same entry gives the same weights: \`millrace verify ${name}\`.

## Inputs

| input | takes | missing | seen |
| --- | --- | --- | --- |
${features.map((feature) => inputRow(spec, feature)).join('\n')}

\`inputs.json\` has all of them, with every known value and the numbers in full. A category is known
by its text without white space around it, \`true\` and \`false\` in lower case, \`7\` instead of
\`7.0\`. A missing value is not filled in by the network: put in what the table says. The
bucket of a text is its hash, FNV-1a over its UTF-16 units mixed as MurmurHash3 does it, modulo
their number: \`bucket()\` of Millrace's docs/python.md. Where a text is known by its hash, that is
the same without the modulo, and \`inputs.json\` lists those that are known.
${ownMeansText(spec)}${keptText(spec)}
## Use

${usage}
`;
}

/** How much was learnt of the stream, and what of it is no longer in the weights. */
function learntText(state: State): string {
  const { learnt, retractions } = state;
  const rolledBack = rollbackInForce(state);
  return [
    `${learnt.toLocaleString('en')} samples of its stream`,
    ...(rolledBack === undefined
      ? []
      : [
          `entry ${rolledBack.sequence} went back to what entry ${rolledBack.to} had learnt of them`,
        ]),
    ...retractions.map(({ sequence }) => `entry ${sequence} unlearnt some`),
  ].join('; ');
}

/** What an export says otherwise of a sample that lacks a number, where it does. */
function ownMeansText({ features, online: { experts = [] } }: Spec): string {
  const fillsMean = Object.values(features).some(
    (feature) => 'missing' in feature && feature.missing === 'mean',
  );
  const forgets = experts.some((expert) => isNetwork(expert) && expert.halfLife !== undefined);
  if (!fillsMean || !forgets) return '';
  return `
Of a sample that lacks a number, the model itself answers a little otherwise: experts that forget
each have a mean of their own, which no single number can be. The code of Millrace's docs/python.md
answers as the model does.
`;
}

/** What an export holds of samples themselves, where it does. */
function keptText({ online: { experts = [] } }: Spec): string {
  const windows = experts.filter(isOfNeighbours).map(({ window }) => window);
  if (windows.length === 0) return '';
  const most = Math.max(...windows).toLocaleString('en');
  return `
An expert of neighbours answers by the last ${most} samples themselves: their numbers and labels
are in the files. Who may not see those is to be given a model without it (\`online.experts\`).
`;
}

function answerText({ task, label }: Spec, classes: readonly string[]): string {
  if (label.outputs !== undefined) return `the values of ${someOf(label.outputs)}`;
  if (task === 'regression') return `the value of ${code(label.name)}`;
  if (task === 'binary') return `the probability that ${code(label.name)} is true`;
  const others = label.maxClasses === undefined ? '' : '; the rest are of classes yet to come';
  const named = classes.length === 0 ? 'none has come yet' : someOf(classes);
  return `the probability of each class of ${code(label.name)}: ${named}${others}`;
}

function lossText({ task, loss }: Spec): string {
  if (typeof loss === 'object') return `that of the quantile ${loss.quantile}`;
  return loss ?? (task === 'regression' ? 'halfMeanSquaredError' : 'crossEntropy');
}

function streamText(stream: StreamMetrics | undefined, specSince: number | undefined): string {
  if (stream === undefined)
    return specSince === undefined
      ? 'nothing was learnt from it yet'
      : `no sample has come since entry ${specSince} changed its spec`;
  const { loss, baselineLoss, accuracy, areaUnderCurve, rootMeanSquaredError: root } = stream;
  return [
    loss.toPrecision(4),
    ...(baselineLoss === undefined ? [] : [`${baselineLoss.toPrecision(4)} of the labels alone`]),
    ...(accuracy === undefined ? [] : [`accuracy ${accuracy.toFixed(4)}`]),
    ...(root === undefined ? [] : [`root mean squared error ${root.toPrecision(4)}`]),
    ...(areaUnderCurve === undefined
      ? []
      : [`area under the ROC curve ${areaUnderCurve.toFixed(4)}`]),
  ].join('; ');
}

function networkText({ network, online: { experts } }: Spec): string {
  if (experts !== undefined)
    return `${experts.length} experts side by side, mixed by what they have earned`;
  if ('topology' in network) return 'its own topology';
  const { hidden, activation, fourier, piecewiseLinear, quadratic } = network;
  const derived = [
    ...(fourier === undefined ? [] : [`${fourier.units} random Fourier features`]),
    ...(piecewiseLinear === undefined ? [] : [`numbers in ${piecewiseLinear.bins} bins`]),
    ...(quadratic === undefined ? [] : ['products of numbers']),
  ];
  const over = derived.length === 0 ? '' : `, over ${derived.join(' and ')} too`;
  if (hidden.length === 0) return `linear${over}`;
  const layers = `hidden layers of ${hidden.join(', ')} units, ${activation}${over}`;
  return network.wide ? `${layers}; a linear model beside them` : layers;
}
