import { hasIndicator, type SaidOfMissing } from '../features/kinds/indicator.ts';
import type { Spec } from '../spec/spec.ts';
import type { ExportedFeature } from './exported.ts';
import { missingOf } from './inputs-json.ts';
import { code, someOf } from './markdown.ts';

/** An input of an export as a row of its card: what it takes, and what was seen of it. */
export function inputRow(spec: Spec, feature: ExportedFeature): string {
  const missing = missingOf(spec, feature);
  const made = madeText(spec, feature);
  const cells = [
    code(feature.name),
    made ?? takesText(feature),
    made?.includes(missingOfJoined) ? 'as said' : missingText(missing),
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
      return `${joinedText(spec, declared.of)}, by their bucket out of ${declared.buckets}`;
    case 'targetMean':
      return (
        `${joinedText(spec, declared.of)}, by their bucket out of ${declared.buckets}; the mean ` +
        'label of each is the one at this entry'
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
        `${vectorizerOptions(declared)})\` of scikit-learn makes ` +
        (declared.log
          ? 'counts c of a text, of which sign(c) · ln(1 + abs(c)), divided by their length, go in'
          : 'them from a text')
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

const missingOfJoined = '`missing` where one is missing whose mean stands for it';

/** How the texts are joined that a cross or a target mean is of. */
function joinedText({ features }: Spec, of: readonly string[]): string {
  const numbers = of.flatMap((name) => {
    const feature = features[name];
    return feature?.type === 'number' ? [feature] : [];
  });
  const areWritten =
    'numbers as JavaScript writes them, such as 7 and 1e-9: `text_of()` of docs/python.md; true and ' +
    'false, yes and no as 1 and 0';
  const fill = numbers.some(({ missing }) => missing === 'mean') ? `; ${missingOfJoined}` : '';
  const how = numbers.length === 0 ? '' : ` (${areWritten}${fill})`;
  return `the texts of ${of.map(code).join(', ')}${how}, joined by U+001F`;
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
  if (source === undefined && task === 'multiclass')
    return `1 for the class that ${what} was ${ago}, and 0 for the others`;
  return `${what} ${ago}${source === undefined ? '' : ', of those that have it'}`;
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
  log,
}: {
  readonly words: readonly number[];
  readonly characters?: readonly number[] | undefined;
  readonly log?: true | undefined;
}): string {
  const analyzer = characters === undefined ? '' : "analyzer='char_wb', ";
  const norm = log ? ', norm=None' : '';
  return `${analyzer}ngram_range=(${(characters ?? words).join(', ')})${norm}`;
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
  // (Of a number, the next one says whether it was missing.)
  if (feature.kind === 'category' || (feature.width > 1 && declared?.type !== 'number')) return '';
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
