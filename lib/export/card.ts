import { classNames } from '../features/class-weights.ts';
import { hasIndicator, type SaidOfMissing } from '../features/kinds/indicator.ts';
import type { StreamMetrics } from '../metrics/stream-metrics.ts';
import { isNetwork } from '../spec/experts-schema.ts';
import type { Spec } from '../spec/spec.ts';
import { jobInForce, type State } from '../state/state.ts';
import type { Exported, ExportedFeature } from './exported.ts';
import { missingOf } from './inputs-json.ts';

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
    [`loss on its stream, ${lossText(spec)}`, streamText(stream)],
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
${ownMeansText(spec)}
## Use

${usage}
`;
}

/** How much was learnt of the stream, and what of it is no longer in the weights. */
function learntText({ learnt, rolledBack, retractions }: State): string {
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

/** The first of some texts. */
function someOf(texts: readonly string[]): string {
  const shown = texts.slice(0, 8).map(code).join(', ');
  return texts.length > 8 ? `${shown} and ${texts.length - 8} more` : shown;
}

/** A text as code within a cell of a table. */
function code(text: string): string {
  const inOneLine = text.replace(/\s+/g, ' ').replaceAll('|', '\\|');
  const longest = Math.max(0, ...(text.match(/`+/g) ?? []).map(({ length }) => length));
  const fence = '`'.repeat(longest + 1);
  return longest === 0 ? `\`${inOneLine}\`` : `${fence} ${inOneLine} ${fence}`;
}

function streamText(stream: StreamMetrics | undefined): string {
  if (stream === undefined) return 'nothing was learnt from it yet';
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
  const { hidden, activation, fourier, piecewiseLinear } = network;
  const derived = [
    ...(fourier === undefined ? [] : [`${fourier.units} random Fourier features`]),
    ...(piecewiseLinear === undefined ? [] : [`numbers in ${piecewiseLinear.bins} bins`]),
  ];
  const over = derived.length === 0 ? '' : `, over ${derived.join(' and ')} too`;
  if (hidden.length === 0) return `linear${over}`;
  const layers = `hidden layers of ${hidden.join(', ')} units, ${activation}${over}`;
  return network.wide ? `${layers}; a linear model beside them` : layers;
}

function inputRow(spec: Spec, feature: ExportedFeature): string {
  const missing = missingOf(spec, feature);
  const cells = [
    code(feature.name),
    madeText(spec, feature) ?? takesText(feature),
    missingText(missing),
    seenText(spec, feature),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** What stands for a missing value. */
function missingText(missing: unknown): string {
  if (missing === undefined) return 'not allowed';
  return Array.isArray(missing) ? 'its means, of `inputs.json`' : code(String(missing));
}

/** How an input is made that is no value of a sample alone. */
function madeText(spec: Spec, feature: ExportedFeature): string | undefined {
  const declared = spec.features[feature.name];
  switch (declared?.type) {
    case 'cross':
      if (declared.buckets === 'complete') return combinationText(spec, declared.of);
      return (
        `the texts of ${declared.of.map(code).join(', ')}, joined by U+001F, by their bucket out ` +
        `of ${declared.buckets}`
      );
    case 'targetMean':
      return (
        `the texts of ${declared.of.map(code).join(', ')}, joined by U+001F, by their bucket out ` +
        `of ${declared.buckets}; the mean label of each is the one at this entry`
      );
    case 'lag':
      return lagText(spec, declared);
    case 'image':
      return `${feature.width} pixels, each divided by ${declared.scale}`;
    case 'vector':
      return declared.missing === 'mean' || declared.indicator
        ? withStandIn(numbersText(declared.length), declared)
        : undefined;
    case 'timestamp':
      return withStandIn(timesText(declared), declared);
    case 'text':
      return (
        `${feature.width} numbers: \`HashingVectorizer(n_features=${feature.width}, ` +
        `${vectorizerOptions(declared)})\` of scikit-learn makes them from a text`
      );
    case 'number': {
      const { clip, log } = declared;
      const number = numberText(declared);
      const text = withStandIn(number, declared);
      return log || clip || text !== number ? text : undefined;
    }
    default:
      return undefined;
  }
}

/** What stands for a missing value, and whether a number behind the others says so. */
function withStandIn(
  text: string,
  declared: SaidOfMissing & { readonly standardize?: unknown },
): string {
  const { missing, standardize } = declared;
  const usual = standardize === 'robust' ? 'its median' : 'its mean';
  const stands = missing === 'mean' ? usual : 'what stands for it';
  if (!hasIndicator(declared))
    return missing === 'mean' ? `${text}; where it is missing, ${usual}` : text;
  return `${text}, then 0; where it is missing, ${stands}, then 1`;
}

/** What a number is before it is scaled. */
function numberText(
  { clip, log }: Extract<Spec['features'][string], { type: 'number' }>,
  name = 'a number',
): string {
  const within = clip === undefined ? '' : `, no less than ${clip[0]}, no more than ${clip[1]}`;
  return log ? `sign(x) · ln(1 + abs(x)) of x, ${name}${within}` : `${name}${within}`;
}

/** How the place of a combination is computed. */
function combinationText({ features }: Spec, of: readonly string[]): string {
  const [first = '', ...others] = of.map((name) => `place(${name})`);
  const formula = others.reduce((before, place, i) => {
    const source = features[of[i + 1] ?? ''];
    const size = source?.type === 'category' ? (source.values?.length ?? 0) : 0;
    return `${i === 0 ? before : `(${before})`} · ${size + 1} + ${place}`;
  }, first);
  return `${code(formula)}, the place of a value among those known, from 1, and 0 for any other`;
}

function lagText(
  { label, task, features }: Spec,
  { steps, source, by }: Extract<Spec['features'][string], { type: 'lag' }>,
): string {
  const number = source === undefined ? undefined : features[source];
  const name = code(source ?? label.name);
  const what = number?.type === 'number' ? numberText(number, name) : name;
  const among = by === undefined ? '' : ` of those with the same ${by.map(code).join(', ')}`;
  const ago = `${steps.join(', ')} samples ago${among}`;
  return source === undefined && task === 'multiclass'
    ? `1 for the class that ${what} was ${ago}, and 0 for the others`
    : `${what} ${ago}`;
}

/** How a time is made numbers: what share of its turn has passed, by whose clock. */
const turns = {
  hour: 'of the day, from midnight',
  weekday: 'of the week, from Monday 00:00',
  month: 'of the year, in whole months: 0 in January, 11/12 in December',
  dayOfYear: 'of the year, from 1 January 00:00 to the next (of 365 or 366 days)',
} as const;

function timesText({
  parts,
  harmonics = {},
  zone,
}: Extract<Spec['features'][string], { type: 'timestamp' }>) {
  const texts = parts.map((part) => {
    if (part === 'elapsed') return 'the seconds since 1970';
    const most = harmonics[part] ?? 1;
    const points =
      most === 1 ? 'cos 2πt and sin 2πt' : `cos 2πkt and sin 2πkt of each k to ${most}`;
    return `${points}, where t is the share ${turns[part]}`;
  });
  return `in this order, by the clock of UTC${zone === '+00:00' ? '' : zone}: ${texts.join('; ')}`;
}

/** How scikit-learn names what is taken together. */
function vectorizerOptions({
  words,
  characters,
}: {
  readonly words: readonly number[];
  readonly characters?: readonly number[] | undefined;
}): string {
  const analyzer = characters === undefined ? '' : "analyzer='char_wb', ";
  return `${analyzer}ngram_range=(${(characters ?? words).join(', ')})`;
}

function takesText({ width, ...feature }: ExportedFeature): string {
  if (feature.kind === 'numbers') return numbersText(width);
  if (feature.hashes !== undefined)
    return `a text, by the place of its hash among ${feature.hashes.length}; others are one`;
  if (feature.values === undefined) return `a text, by its bucket out of ${feature.buckets}`;
  return `${someOf(feature.values)}; others are one`;
}

function numbersText(count: number): string {
  return count === 1 ? 'a number' : `${count} numbers`;
}

function seenText({ features }: Spec, feature: ExportedFeature): string {
  const declared = features[feature.name];
  const by = declared?.type === 'number' ? declared.standardize : true;
  if (feature.kind === 'category' || feature.width > 1) return '';
  const [mean = 0] = feature.mean;
  const [scale = 0] = feature.scale;
  if (mean === 0 && scale === 1) return 'as it is';
  if (scale === 0 && mean === 0) return 'nothing yet, or always 0';
  if (scale === 0) return `always ${mean.toPrecision(4)} so far`;
  const [center, unit] = {
    minMax: ['least', 'range'],
    maxAbs: ['zero at', 'greatest size'],
    robust: ['median', 'distance of quartiles'],
    usual: ['mean', 'deviation'],
  }[typeof by === 'string' ? by : 'usual'];
  return `${center} ${mean.toPrecision(4)}, ${unit} ${(1 / scale).toPrecision(4)}`;
}
