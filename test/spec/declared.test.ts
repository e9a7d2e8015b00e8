import { describe, expect, it } from 'vitest';
import { withDefaultsOf, withDefaultsUnlessSaid } from '../../lib/spec/earlier-defaults.ts';
import { defineSpec, parseSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';
import { declared } from '../support/declared-network.ts';

describe('a declared vector', () => {
  const vector = { type: 'vector' as const, length: 2 };
  const declared = (own: object, network: SpecInput['network'] = { hidden: [4] }) =>
    defineSpec({
      model: 'm',
      task: 'regression',
      features: { x: { ...vector, ...own } },
      network,
    });

  it('is standardised, unless it says otherwise or a topology takes it', () => {
    expect(declared({}).features.x).toMatchObject({ standardize: true });
    expect(declared({ standardize: false }).features.x).toMatchObject({ standardize: false });
    const topology = { class_name: 'Sequential', config: { name: 's', layers: [] } };
    const network = { topology } as SpecInput['network'];
    expect(declared({}, network).features.x).toMatchObject({ standardize: false });
  });

  it('stays as it was in a model of an earlier release', () => {
    const existing = declared({ standardize: false });
    expect(withDefaultsOf(existing, declared({}))).toEqual(existing);
    const later = declared({});
    expect(withDefaultsOf(later, declared({ standardize: false }))).not.toEqual(later);
  });
});

describe('a declared number that may be missing', () => {
  const input = {
    model: 'm',
    task: 'binary',
    missing: 'learnt',
    features: { x: { type: 'number', standardize: 'robust' } },
  } satisfies SpecInput;

  it('is what stood for it in release 0.25, in a model of it', () => {
    const todays = defineSpec(input);
    expect(todays.features.x).toMatchObject({ missing: 'mean', indicator: false });
    const x = { ...todays.features.x, type: 'number', missing: 0, indicator: true };
    const existing = { ...todays, revision: 10, features: { x } } as Spec;
    expect(withDefaultsOf(existing, todays)).toEqual(existing);
    expect(withDefaultsUnlessSaid(existing, todays, input)).toEqual(existing);
    const said: SpecInput = {
      ...input,
      features: { x: { ...input.features.x, missing: 'mean', indicator: false } },
    };
    const changed = withDefaultsUnlessSaid(existing, defineSpec(said), said);
    expect(changed.features).toEqual(todays.features);
  });

  it('is what its author says, in a model of today', () => {
    const x = { type: 'number', missing: 0, indicator: true } as const;
    const existing = defineSpec({ ...input, features: { x } });
    const said = { ...input, features: { x: { type: 'number' as const } } };
    const declared = defineSpec(said);
    expect(withDefaultsUnlessSaid(existing, declared, said)).toEqual(declared);
  });
});

describe('what is declared', () => {
  it('can be read again, as it is stored', () => {
    const input = { model: 'm', task: 'binary', features: { x: { type: 'number' } } } as const;
    const growing = (label: string) => () =>
      defineSpec({
        ...input,
        task: 'multiclass',
        label: { maxClasses: 4 },
        online: { labelWindow: { hours: 1, default: label } },
      });
    for (const word of ['none', 'NA', ' '])
      expect(growing(word)).toThrow('name it in label.classes');
    expect(growing('other')().online.labelWindow?.default).toBe('other');
    const optimizer = { type: 'adagrad' as const, rate: 0.1, initialAccumulator: 1e39 };
    expect(() => defineSpec({ ...input, optimizer })).toThrow('initialAccumulator');
  });
});

describe('a declared network', () => {
  it('stands beside the mean of its labels, unless somebody tuned it', () => {
    const beside = [{ replay: false }, { predicts: 'prior' }];
    expect(declared({}).online.experts).toEqual(beside);
    expect(declared({ online: { minibatch: 8 } }).online.experts).toEqual(beside);
    const tuned: Partial<SpecInput>[] = [
      { optimizer: { type: 'sgd', rate: 0.1 } },
      { online: { rate: 0.1 } },
      { online: { replay: {} } },
      { online: { schedule: { type: 'constant' } } },
    ];
    for (const own of tuned) expect(declared(own).online.experts).toBeUndefined();
  });

  it('has an expert over Fourier features where there are some numbers, not many', () => {
    const periodic = { hidden: [], rate: 0.1, replay: true, fourier: { units: 64 } };
    const expertsOf = (features: SpecInput['features']) =>
      declared({ features, online: { experts: 'default' } }).online.experts;
    expect(expertsOf({ x: { type: 'vector', length: 64 } })).toContainEqual(periodic);
    expect(expertsOf({ x: { type: 'vector', length: 65 } })).not.toContainEqual(periodic);
    expect(expertsOf({ x: { type: 'category', buckets: 4 } })).not.toContainEqual(periodic);
    expect(declared({}).online.experts).not.toContainEqual(periodic);
  });

  it('has experts over pieces of numbers where there are few, and few outputs', () => {
    const pieces = { hidden: [], replay: false, secondOrder: true, piecewiseLinear: { bins: 8 } };
    const expertsOf = (own: Partial<SpecInput>) =>
      declared({ ...own, online: { experts: 'default' } }).online.experts;
    const wide = (length: number) => ({ features: { x: { type: 'vector' as const, length } } });
    expect(expertsOf(wide(24))).toContainEqual(pieces);
    expect(expertsOf(wide(25))).not.toContainEqual(pieces);
    expect(expertsOf({ features: { x: { type: 'category', buckets: 4 } } })).not.toContainEqual(
      pieces,
    );
    // Whatever the network is over, its default experts are such as a spec may have.
    for (const length of [1, 8, 16, 17, 24, 25, 60, 64])
      for (const units of [64, 300, 440, 480])
        for (const bins of [2, 7, 20])
          for (const quadratic of length > 30 ? [undefined] : [{}, undefined]) {
            const network = { hidden: [4], fourier: { units }, piecewiseLinear: { bins } };
            const own = {
              ...wide(length),
              network: { ...network, ...(quadratic && { quadratic }) },
            };
            expect(expertsOf(own)).toContainEqual({ predicts: 'stack' });
          }
  });

  it('has an expert over products of numbers where there are few', () => {
    const products = { hidden: [], replay: false, secondOrder: true, quadratic: {} };
    const expertsOf = (length: number) => {
      const features = { x: { type: 'vector' as const, length } };
      return declared({ features, online: { experts: 'default' } }).online.experts;
    };
    for (const length of [1, 24]) expect(expertsOf(length)).toContainEqual(products);
    expect(expertsOf(25)).not.toContainEqual(products);
  });

  it('has one of second order over categories as far as it has few weights', () => {
    const second = { hidden: [], replay: false, secondOrder: true };
    const expertsOf = (buckets: number, classes: number) =>
      declared({
        task: 'multiclass',
        label: { classes: Array.from({ length: classes }, (_, i) => `c${i}`) },
        features: { x: { type: 'number' }, who: { type: 'category', buckets } },
        online: { experts: 'default' },
      }).online.experts;
    for (const [buckets, classes] of [
      [4_096, 64],
      [16_384, 16],
    ] as const)
      expect(expertsOf(buckets, classes)).toContainEqual(second);
    for (const [buckets, classes] of [
      [4_096, 65],
      [16_384, 17],
      [16_385, 2],
    ] as const)
      expect(expertsOf(buckets, classes)).not.toContainEqual(second);
    const pieces = { ...second, piecewiseLinear: { bins: 8 } };
    expect(expertsOf(4_096, 2)).toContainEqual(pieces);
    expect(expertsOf(4_097, 2)).not.toContainEqual(pieces);
  });

  it('has default experts beside any Fourier features of its own', () => {
    const { experts = [] } = declared({
      network: { hidden: [8], fourier: { units: 600 } },
      online: { experts: 'default' },
    }).online;
    expect(experts).toContainEqual({ predicts: 'stack' });
    expect(experts.some((each) => 'secondOrder' in each)).toBe(false);
  });
});

describe('a model of an earlier release', () => {
  const inputs: readonly SpecInput[] = [
    { model: 'm', task: 'regression', features: { x: { type: 'number' } } },
    { model: 'm', task: 'binary', features: { x: { type: 'number' } }, network: { hidden: [4] } },
    {
      model: 'm',
      task: 'regression',
      features: { x: { type: 'number' } },
      loss: 'huber',
      optimizer: { type: 'sgd', rate: 0.1 },
      online: { minibatch: 16 },
    },
  ];

  it.each(inputs)('is the same when its program runs again', (input) => {
    // What release 0.2 stored: the schema's own defaults.
    const existing = parseSpec(input);
    expect(withDefaultsOf(existing, defineSpec(input))).toEqual(existing);
    // What release 0.3 stored.
    const { revision: _, ...later } = defineSpec(input);
    expect(withDefaultsOf(later, defineSpec(input))).toEqual(later);
    const other = { ...input, optimizer: { type: 'sgd' as const, rate: 0.2 } };
    expect(withDefaultsOf(later, defineSpec(other))).not.toEqual(later);
    expect(withDefaultsOf(existing, defineSpec(other))).not.toEqual(existing);
  });
});
