import type { SpecInput } from '../../lib/spec/spec.ts';

/** Features of every kind, with numbers that float32 alone would mix up. */
const mixed: SpecInput['features'] = {
  seconds: { type: 'number' },
  share: { type: 'number', standardize: false },
  constant: { type: 'number' },
  team: { type: 'category', values: ['red', 'green'] },
  word: { type: 'category', buckets: 11, dimensions: 3 },
  rare: { type: 'category', vocabulary: { size: 4, admitAfter: 3 }, dimensions: 2 },
  pixels: { type: 'vector', length: 5, standardize: true },
};
/** Models of every task, with all that a network of hidden layers may have. */
export const tasks: Record<string, SpecInput> = {
  'a regression with hidden layers': {
    model: 'demand-1',
    task: 'regression',
    features: mixed,
    network: { hidden: [7, 5], activation: 'tanh' },
  },
  'a regression with several outputs': {
    model: 'demand-1',
    task: 'regression',
    features: mixed,
    label: { outputs: ['sold', 'given back', '__id'] },
    network: { hidden: [5] },
  },
  'a quantile with hidden layers': {
    model: 'demand-1',
    task: 'regression',
    features: mixed,
    loss: { quantile: 0.9 },
    network: { hidden: [7, 5] },
  },
  'a linear binary model': { model: 'demand-1', task: 'binary', features: mixed },
  'a multiclass model': {
    model: 'demand-1',
    task: 'multiclass',
    features: mixed,
    label: { classes: ['a', 'b', 'c'] },
    network: { hidden: [6] },
  },
};

/** The same features under names that are any text; each has the values of the one it was. */
export const oddNames = {
  seconds: 'seconds since 1970 (UTC)',
  share: '1st',
  constant: '—',
  team: 'team/"a" \\ b',
  word: 'wörd, 🙂',
  rare: "rare's.name",
  pixels: 'a/b.c (px)',
} as const;
tasks['features of any name'] = {
  model: 'demand-1',
  task: 'binary',
  features: Object.fromEntries(
    Object.entries(mixed).map(([name, feature]) => [
      oddNames[name as keyof typeof oddNames],
      feature,
    ]),
  ),
  network: { hidden: [5], wide: true },
};

/** Networks with all that hidden layers may have beside them. */
const besides = { wide: true, layerNormalization: true, dropout: 0.3, l1: 0.001, l2: 0.01 };
const three = tasks['a multiclass model'] as SpecInput;
tasks['three wide classes'] = { ...three, network: { wide: true } };
tasks['three wide and deep classes'] = { ...three, network: { hidden: [7, 5], ...besides } };

tasks['averages of the weights'] = {
  ...three,
  optimizer: { type: 'adagrad', rate: 0.3, averageDecay: 0.8 },
};
tasks['random Fourier features'] = { ...three, network: { hidden: [5], fourier: { units: 8 } } };
tasks['narrow random Fourier features, wide and linear'] = {
  ...three,
  network: { wide: true, fourier: { units: 16, bandwidth: 0.2, of: ['seconds', 'pixels'] } },
};

tasks['a piecewise linear encoding'] = {
  ...three,
  network: { hidden: [5], piecewiseLinear: { bins: 4, of: ['seconds', 'pixels'] } },
};
tasks['a piecewise linear encoding beside random Fourier features, wide and linear'] = {
  ...three,
  network: { wide: true, fourier: { units: 5 }, piecewiseLinear: { bins: 3 } },
};

tasks['products of numbers beside pieces of them'] = {
  ...three,
  network: { hidden: [4], piecewiseLinear: { bins: 2 }, quadratic: { of: ['seconds', 'pixels'] } },
};

tasks['random Fourier features of numbers that nothing bounds'] = {
  ...three,
  ignore: ['share', 'constant', 'team', 'word', 'rare'],
  features: {
    seconds: { type: 'number' },
    pixels: { type: 'vector', length: 5, standardize: false },
  },
  network: { hidden: [3], fourier: { units: 9, bandwidth: 20 } },
};

/** The same, each of several experts. */
const withExperts = Object.fromEntries(
  Object.entries(tasks).map(([name, input]) => [
    `${name}, with experts`,
    {
      ...input,
      online: {
        experts: [
          { hidden: [4, 3], activation: 'tanh', replay: true },
          { hidden: [5], halfLife: 6 },
          { hidden: [], halfLife: 20, fourier: { units: 6 } },
          // (Float32 says little of sums of large numbers whose weights nearly cancel out.)
          // And a quantile is learnt by trees alone, and not stacked.
          ...(name.includes('a quantile')
            ? [{ predicts: 'trees', window: 30, trees: 12, leaves: 5 } as const]
            : []),
          ...(name.includes('nothing bounds') || name.includes('a quantile')
            ? []
            : [
                { hidden: [], secondOrder: true as const, fourier: { units: 6 } },
                { hidden: [], secondOrder: true as const, piecewiseLinear: { bins: 3 } },
                { hidden: [], secondOrder: true as const, quadratic: {} },
                { predicts: 'neighbours', window: 7 } as const,
                { predicts: 'trees', window: 30, trees: 12, leaves: 5 } as const,
              ]),
          { predicts: 'prior' },
          { predicts: 'lastLabel' } as const,
          ...(name.includes('a quantile') ? [] : [{ predicts: 'stack' } as const]),
        ],
      },
    } satisfies SpecInput,
  ]),
);
Object.assign(tasks, withExperts);

tasks['classes by neighbours without the labels alone'] = {
  ...three,
  online: { experts: [{ hidden: [4] }, { predicts: 'neighbours', window: 9 }] },
};

/** Classes that weigh in the answers of experts: true, false, or each of several. */
const weighing: Record<string, Pick<SpecInput, 'task' | 'label'>> = {
  'true, that weighs more': { task: 'binary', label: { classWeights: { true: 30 } } },
  'false, that weighs more': { task: 'binary', label: { classWeights: { false: 5_000 } } },
  'classes that weigh': {
    task: 'multiclass',
    label: { classes: ['a', 'b', 'c'], classWeights: { a: 2_000, c: 0.5 } },
  },
  'classes that weigh very differently': {
    task: 'multiclass',
    label: { classes: ['a', 'b', 'c'], classWeights: { a: 1_000, c: 0.001 } },
  },
  'balanced classes': {
    task: 'multiclass',
    label: { classes: ['a', 'b', 'c'], classWeights: 'balanced' },
  },
};
for (const [name, own] of Object.entries(weighing))
  tasks[`${name}, with experts`] = {
    ...own,
    model: 'demand-1',
    features: mixed,
    online: { experts: [{ hidden: [4], replay: true }, { predicts: 'prior' }] },
  };
