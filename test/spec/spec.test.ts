import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { specHash } from '../../lib/spec/identity.ts';
import { specReference, specSchemaJson } from '../../lib/spec/reference.ts';
import { defineSpec, parseSpec, type SpecInput } from '../../lib/spec/spec.ts';

const minimal: SpecInput = {
  model: 'demand',
  task: 'regression',
  features: { hour: { type: 'number' } },
};

/** Wrong specs: the change to the minimal one, and what the error must name. */
const wrong: [string, object, RegExp][] = [
  [
    'a name with slashes',
    { model: 'a/b' },
    /spec\.model: a model's name must be 1 to 64 .* \(found "a\/b"\)/,
  ],
  ['a name with capitals', { model: 'Demand' }, /spec\.model/],
  ['no features', { features: {} }, /spec\.features: a model needs at least one feature/],
  [
    'an unknown field',
    { optimiser: {} },
    /spec: unknown field "optimiser"; allowed: model, task, features/,
  ],
  [
    'an unknown field of a feature',
    { features: { hour: { type: 'number', scale: 1 } } },
    /unknown field "scale"; allowed: type, standardize/,
  ],
  [
    'an unknown type of feature',
    { features: { hour: { type: 'words' } } },
    /spec\.features\.hour\.type/,
  ],
  [
    'a category without values',
    { features: { hour: { type: 'category' } } },
    /spec\.features\.hour: a category needs one of values/,
  ],
  [
    'a category with the same value twice',
    { features: { hour: { type: 'category', values: ['a', 'a'] } } },
    /values must be distinct/,
  ],
  [
    'an unknown task',
    { task: 'ranking' },
    /spec\.task: must be regression, binary or multiclass \(found "ranking"\)/,
  ],
  [
    'a multiclass task without classes',
    { task: 'multiclass' },
    /spec\.label\.classes: classes are needed: two at least \(found 0\), or maxClasses$/,
  ],
  [
    'a vector of more elements than there is memory for',
    {
      features: { v: { type: 'vector', length: 1e10, missing: 0 }, x: { type: 'number' } },
      online: { experts: 'default' },
    },
    /^spec\.features\.v\.length: must be at most 200000 \(found 10000000000\)$/,
  ],
  [
    'more elements than there is memory for',
    {
      features: Object.fromEntries(
        Array.from({ length: 300 }, (_, i) => [`v${i}`, { type: 'vector', length: 200_000 }]),
      ),
      online: { experts: 'default' },
    },
    /^spec\.features: vectors and images have at most 4194304 elements together/,
  ],
  ['a regression with classes', { label: { classes: ['a', 'b'] } }, /spec\.label\.classes/],
  [
    'the loss of another task',
    { loss: 'crossEntropy' },
    /spec\.loss: the task regression allows halfMeanSquaredError or huber or { "quantile": 0.9 }/,
  ],
  ['a quantile that is none', { loss: { quantile: 1 } }, /spec\.loss\.quantile: .*found 1/],
  [
    'a label that is a feature',
    { label: { name: 'hour' } },
    /spec\.label\.name: the label cannot be one of the features/,
  ],
  ['an unknown optimizer', { optimizer: { type: 'tiger', rate: 1 } }, /spec\.optimizer\.type/],
  [
    'a rate of zero',
    { optimizer: { type: 'sgd', rate: 0 } },
    /spec\.optimizer\.rate: .* \(found 0\)/,
  ],
  ['no epochs', { batch: { epochs: 0 } }, /spec\.batch\.epochs: .* \(found 0\)/],
  ['a minibatch of a half', { online: { minibatch: 0.5 } }, /spec\.online\.minibatch/],
  ['NaN', { batch: { margin: Number.NaN } }, /spec\.batch\.margin/],
];

describe('a spec', () => {
  it('has no vocabulary beside a topology, whose tables are its own', () => {
    const topology = { class_name: 'Sequential', config: {} };
    const features = { shop: { type: 'category', vocabulary: { size: 4 } } };
    expect(() => parseSpec({ ...minimal, features, network: { topology } })).toThrow(
      'spec.features.shop.vocabulary: needs a network of hidden layers, not a topology',
    );
  });

  it('gets its defaults', () => {
    expect(defineSpec(minimal)).toMatchObject({
      features: { hour: { type: 'number', standardize: true } },
      label: { name: 'label' },
      network: { hidden: [], activation: 'relu' },
      optimizer: { type: 'adagrad', rate: 0.1 },
      batch: { epochs: 10, slice: { seconds: 600 } },
      online: { minibatch: 4 },
    });
  });

  it.each(wrong)(
    'is refused, with the field, what is allowed and what was found: %s',
    (_, change, message) => {
      expect(() => parseSpec({ ...minimal, ...change })).toThrow(message);
    },
  );

  it('takes a topology in each form in which people have one', () => {
    const layers = [{ class_name: 'Dense', config: { units: 1, batch_input_shape: [null, 1] } }];
    const topology = { class_name: 'Sequential', config: { layers } };
    for (const form of [
      topology,
      JSON.stringify(topology),
      { modelTopology: topology, weightsManifest: [] },
      { modelTopology: { model_config: topology, keras_version: '2.9.0' } },
    ]) {
      expect(parseSpec({ ...minimal, network: { topology: form } }).network).toEqual({ topology });
    }
  });

  it('names every wrong field at once', () => {
    expect(() => parseSpec({ ...minimal, model: '', task: 'x' })).toThrow(
      /spec\.model.*; spec\.task/,
    );
  });

  it.each([undefined, null, 3, 'spec', []])('is refused if it is no object: %j', (input) => {
    expect(() => parseSpec(input)).toThrow(/^spec: /);
  });

  it('has one hash, however its fields are ordered, and after a trip through JSON', () => {
    const spec = defineSpec(minimal);
    const reordered = Object.fromEntries(Object.entries(spec).reverse());
    expect(specHash(parseSpec(JSON.parse(JSON.stringify(reordered))))).toBe(specHash(spec));
    expect(specHash(defineSpec({ ...minimal, seed: 2 }))).not.toBe(specHash(spec));
  });
});

describe('a declaration whose words say the same', () => {
  const base = {
    model: 'm',
    task: 'binary' as const,
    features: { x: { type: 'number' as const } },
  };
  const classes = (...names: string[]) => ({
    task: 'multiclass' as const,
    label: { classes: names },
  });
  const category = (own: object) => ({ features: { c: { type: 'category' as const, ...own } } });
  it.each<[own: object, message: string]>([
    [classes('7', '7.0'), 'spec.label.classes: "7" and "7.0" are one cell; leave one of them out'],
    [classes('a', 'a '), '"a" and "a " are one cell'],
    [classes('a', ' '), 'spec.label.classes: no cell is " "; leave it out'],
    [
      category({ values: ['True', 'true'] }),
      'spec.features.c.values: "True" and "true" are one cell',
    ],
    [
      category({ buckets: 4, missing: ' ' }),
      'spec.features.c.missing: no cell is " "; name a text',
    ],
    [{ cells: { missing: ['Yes'] } }, 'spec.cells.missing: "yes" is a word for true or false'],
    [
      { features: { x: { type: 'number', column: 'label' } } },
      "spec.features.x.column: label is the label's own column; name another",
    ],
    [{ cells: { true: ['x'], false: ['X'] } }, 'spec.cells.false: "x" is among cells.true already'],
    [
      { features: { x: { type: 'number', missing: 1e39 } } },
      'spec.features.x.missing: must be finite in float32 (found 1e+39)',
    ],
  ])('is refused: %j', (own, message) => {
    expect(() => defineSpec({ ...base, ...own } as SpecInput)).toThrow(message);
    // A spec that is stored already is read as it is.
    expect(() => parseSpec({ ...base, ...own })).not.toThrow();
  });
});

describe('the reference of the spec', () => {
  it('is what `npm run docs` writes', () => {
    const committed = (name: string) =>
      readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
    expect(committed('spec.md')).toBe(specReference());
    // (The formatter has its own line ends for JSON.)
    expect(JSON.parse(committed('spec.schema.json'))).toEqual(JSON.parse(specSchemaJson()));
  });
});

describe('what a spec may not have together', () => {
  const base = {
    model: 'm',
    task: 'binary' as const,
    features: { x: { type: 'number' as const } },
  };
  const classes = Array.from({ length: 5_000 }, (_, i) => `c${i}`);
  const cases: [own: Partial<SpecInput>, message: string][] = [
    [{ online: { minibatch: 4_000, replay: {} } }, 'at most 8192 (found 4000 and 64000 more)'],
    [{ online: { minibatch: 4_000, experts: 'default' as const } }, 'at most 8192'],
    [
      { online: { experts: 'default' as const }, optimizer: { type: 'adam' as const, rate: 0.1 } },
      'the default experts learn by adagrad (found adam)',
    ],
    [
      {
        task: 'multiclass' as const,
        label: { classes: classes.slice(0, 65) },
        online: { experts: [{ replay: false }, { predicts: 'lastLabel' as const }] as const },
      },
      'by the lastLabel of 64 classes at most (found 65)',
    ],
    [
      { online: { experts: [{ predicts: 'prior' as const }, { predicts: 'prior' as const }] } },
      'must be a network',
    ],
    [{ label: { maxClasses: 3 } }, 'spec.label.maxClasses: maxClasses are of the task multiclass'],
    [
      { task: 'multiclass' as const, label: { classes: ['a', 'b', 'c'], maxClasses: 2 } },
      'spec.label.maxClasses: is less than the 3 classes that are declared',
    ],
    [
      {
        task: 'multiclass' as const,
        label: { maxClasses: 9 },
        features: { ...base.features, before: { type: 'lag' as const } },
      },
      'spec.label.maxClasses: before is taken from labels, which needs all classes to be declared',
    ],
    [
      {
        task: 'multiclass' as const,
        label: { maxClasses: 9 },
        network: { topology: { className: 'Sequential', config: {} } },
      },
      'spec.label.maxClasses: needs a network of hidden layers, not a topology',
    ],
    [
      { task: 'multiclass' as const, label: { classes }, online: { experts: 'default' as const } },
      'experts times classes may be 14000 at most (found 40000)',
    ],
  ];
  it.each(cases)('is refused: %j', (own, message) => {
    expect(() => defineSpec({ ...base, ...own })).toThrow(message);
  });

  it('may have large minibatches where nothing is replayed', () => {
    expect(defineSpec({ ...base, online: { minibatch: 65_536 } }).online.minibatch).toBe(65_536);
  });
});
