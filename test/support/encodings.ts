import fc from 'fast-check';
import { addCounts, type Encoder, type Encoding } from '../../lib/features/encoder.ts';
import { concatSamples } from '../../lib/features/samples.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';

const numbers = ['0', '-0', '+1.50', '3', '007', '.5', '5.', '1e3', '-2.25E-2', '1e-60', '4e38'];
const words = [
  '',
  'NA',
  'null',
  'true',
  'FALSE',
  'yes',
  '1.0',
  'x',
  'é',
  '"q, q"',
  '"',
  '1,5',
  '1§5',
];
const others = [
  '2024-02-29',
  '2024-01-01T10:00:00Z',
  '"a ""b"""',
  'y'.repeat(70),
  ' 8 ',
  '\u00a09',
];
export const cell = fc.oneof(
  fc.constantFrom(...numbers),
  fc.constantFrom(...words),
  fc.constantFrom(...others),
  fc.integer({ min: 0, max: 40 }).map(String),
  fc.double({ noNaN: true }).map(String),
);

export const features: SpecInput['features'] = {
  n: { type: 'number' },
  filled: { type: 'number', missing: 'mean', log: true },
  bare: { type: 'number', missing: 'mean', indicator: false },
  day: { type: 'timestamp', missing: 'mean' },
  zeroed: { type: 'number', missing: 0, clip: [-9, 9], indicator: true },
  known: { type: 'category', values: ['x', '1', 'null', 'true'], dimensions: 2 },
  hashed: { type: 'category', buckets: 64, missing: 'none', dimensions: 2 },
  grown: { type: 'category', vocabulary: { size: 4 }, missing: 'none', dimensions: 2 },
  when: {
    type: 'timestamp',
    parts: ['hour', 'elapsed'],
    missing: '2020-01-01',
    indicator: true,
  },
  words: { type: 'text', buckets: 16, missing: 'nothing' },
  crossed: { type: 'cross', of: ['hashed', 'filled'], buckets: 32, dimensions: 2 },
  side: { type: 'category', values: ['1', '2', 'x'], dimensions: 2, missing: 'x' },
  whole: { type: 'cross', of: ['known', 'side'], buckets: 'complete', dimensions: 2 },
  thrice: { type: 'cross', of: ['hashed', 'known', 'grown'], buckets: 32, dimensions: 2 },
};

/** With columns of which samples have nothing. */
const lagged: SpecInput['features'] = { ago: { type: 'lag', steps: [1, 2] }, ...features };

const mean = {
  type: 'targetMean' as const,
  of: ['hashed'],
} satisfies SpecInput['features'][string];
export const labels = {
  regression: { task: 'regression', features: { ...features, mean } },
  binary: { task: 'binary', features: { ...features, mean } },
  classes: { task: 'multiclass', features, label: { classes: ['x', '1', 'null'] } },
  growing: { task: 'multiclass', features, label: { maxClasses: 9 } },
  'earlier labels': { task: 'binary', features: lagged },
  lacking: { task: 'binary', features, missing: 'learnt' },
  'missing numbers': { task: 'binary', features, cells: { missing: ['', '7', '-0.0225'] } },
} satisfies Readonly<Record<string, Omit<SpecInput, 'model'>>>;

export const columns = Object.keys(features).filter((name) => !/crossed|thrice|whole/.test(name));

/** What comes of samples that are encoded one after another. */
export function oneByOne(encoder: Encoder, samples: Iterable<unknown>): Encoding {
  const each = Array.from(samples, (sample) => encoder.encode([sample]));
  return {
    samples: concatSamples(
      each.map((one) => one.samples),
      encoder.layout,
    ),
    accepted: Int32Array.from(each.flatMap(({ accepted }, i) => Array.from(accepted, () => i))),
    refused: each.flatMap(({ refused }, index) => refused.map((one) => ({ ...one, index }))),
    unknown: each.reduce((sum, { unknown }) => addCounts(sum, unknown), {}),
  };
}

/** The same without what is absent from one, and empty in the other. */
export function comparable({ samples: { names, ...samples }, ...encoding }: Encoding) {
  return { ...encoding, samples: { ...samples, names: new Map(names ?? []) } };
}
