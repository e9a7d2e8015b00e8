import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { withDefaultsOf, withDefaultsUnlessSaid } from '../../lib/spec/earlier-defaults.ts';
import { defineSpec, parseSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';

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
  const input: SpecInput = {
    model: 'm',
    task: 'regression',
    features: { x: { type: 'number' } },
    network: { hidden: [4] },
  };
  const declared = (own: Partial<SpecInput>) => defineSpec({ ...input, ...own });

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
    for (const length of [1, 16]) expect(expertsOf(length)).toContainEqual(products);
    expect(expertsOf(17)).not.toContainEqual(products);
  });

  it('keeps the default experts of an earlier release', () => {
    const asked = declared({ online: { experts: 'default' } });
    // Of releases 0.7 to 0.15.
    const experts = [
      { hidden: [32], rate: 0.3, replay: true },
      { hidden: [32, 32], rate: 0.3, replay: true },
      { hidden: [32], rate: 0.1, replay: false },
      { hidden: [32], rate: 0.3, halfLife: 16, replay: false },
      { hidden: [], rate: 0.1, replay: false },
      { predicts: 'prior' as const },
      { predicts: 'lastLabel' as const },
    ];
    const existing: Spec = { ...asked, online: { ...asked.online, experts } };
    expect(existing).not.toEqual(asked);
    expect(withDefaultsOf(existing, asked)).toEqual(existing);
    expect(withDefaultsOf(asked, asked)).toEqual(asked);
    // Nor does a change of something else bring today's, unless they are listed one by one.
    const said = { ...input, online: { experts: 'default' as const, minibatch: 16 } };
    const changed = withDefaultsUnlessSaid(existing, defineSpec(said), said);
    expect(changed.online).toEqual({ ...existing.online, minibatch: 16 });
    const listed = { ...input, online: { experts: asked.online.experts ?? [] } };
    expect(withDefaultsUnlessSaid(existing, defineSpec(listed), listed)).toEqual(asked);
    // Of releases 0.16 to 0.25, of 0.26, of 0.27, and of 0.28 to 0.33.
    const piecewiseLinear = { bins: 8 };
    const linear = { hidden: [], rate: 0.1, replay: true };
    const second = { hidden: [], replay: false, secondOrder: true };
    const others = [{ ...second, fourier: { units: 64 } }, { predicts: 'stack' }];
    const pieces = [
      { hidden: [32, 32], rate: 0.3, replay: true, piecewiseLinear },
      { hidden: [32], rate: 0.1, replay: false, piecewiseLinear },
      { ...second, piecewiseLinear },
    ];
    const products = [{ ...second, quadratic: {} }];
    const sinceThen = [...pieces, ...products];
    const later = [second, ...others, ...sinceThen];
    const alone = asked.online.experts?.filter(
      (each) => !('predicts' in each && ['trees', 'neighbours'].includes(each.predicts)),
    );
    // Since 0.35 a linear one that forgets takes steps ten times as large.
    const slow = alone?.map((each) =>
      'rate' in each && each.rate === 1 ? { ...each, rate: 0.1 } : each,
    );
    expect(slow).not.toEqual(alone);
    for (const own of [[linear, ...later], later, sinceThen, products, []]) {
      for (const each of own) expect(asked.online.experts).toContainEqual(each);
      const kept = slow?.filter((each) => !own.some((other) => isDeepStrictEqual(each, other)));
      const earlier: Spec = { ...asked, online: { ...asked.online, experts: kept } };
      expect(withDefaultsOf(earlier, asked)).toEqual(earlier);
    }
    // Another list is another list.
    const own = declared({ online: { experts: [{ hidden: [4] }, ...experts.slice(5)] } });
    const more = [...(own.online.experts ?? []), ...(asked.online.experts ?? []).slice(5, 6)];
    const longer = declared({ online: { experts: more } });
    expect(withDefaultsOf(own, longer)).toEqual(longer);
  });

  it('keeps those without trees, or without neighbours either', () => {
    const asked = declared({ online: { experts: 'default' } });
    let { experts } = asked.online;
    // Of 0.38, and of 0.36 and 0.37.
    for (const without of [
      { predicts: 'trees', window: 8_000, trees: 60, leaves: 16, rate: 0.2 },
      { predicts: 'neighbours', window: 1_000 },
    ]) {
      expect(experts).toContainEqual(without);
      experts = experts?.filter((each) => !isDeepStrictEqual(each, without));
      const before: Spec = { ...asked, online: { ...asked.online, experts } };
      expect(withDefaultsOf(before, asked)).toEqual(before);
    }
  });

  it('has fewer default experts beside a label window, unless it began with all', () => {
    const labelWindow = { hours: 1, default: false };
    const asked = declared({ task: 'binary', online: { experts: 'default', labelWindow } });
    const all = declared({ task: 'binary', online: { experts: 'default' } }).online.experts;
    expect(all).toContainEqual({ predicts: 'lastLabel' });
    expect(asked.online.experts).not.toContainEqual({ predicts: 'lastLabel' });
    const earlier: Spec = { ...asked, online: { ...asked.online, experts: all } };
    expect(withDefaultsOf(earlier, asked)).toEqual(earlier);
    expect(withDefaultsOf(asked, asked)).toEqual(asked);
    // Nor does the end of the window bring the others: they would learn the whole journal first.
    const ended = declared({ task: 'binary', online: { experts: 'default' } });
    expect(withDefaultsOf(asked, ended).online.experts).toEqual(asked.online.experts);
  });

  it('learns a text and more by second order, unless it began when that was too much', () => {
    const features = { x: { type: 'vector', length: 300 } } as const;
    const asked = declared({ features, online: { experts: 'default' } });
    const ofSecondOrder = { hidden: [], replay: false, secondOrder: true };
    expect(asked.online.experts).toContainEqual(ofSecondOrder);
    expect(asked.online.experts).toContainEqual({ predicts: 'stack' });
    const experts = asked.online.experts
      ?.filter((each) => !('secondOrder' in each))
      .map((each) => ('rate' in each && each.rate === 1 ? { ...each, rate: 0.1 } : each));
    const earlier: Spec = { ...asked, online: { ...asked.online, experts } };
    expect(withDefaultsOf(earlier, asked)).toEqual(earlier);
    // (A text alone had it before: a list without it is somebody's own.)
    const alone = { x: { type: 'vector', length: 256 } } as const;
    const usual = declared({ features: alone, online: { experts: 'default' } });
    const own: Spec = { ...usual, online: { ...usual.online, experts } };
    expect(withDefaultsOf(own, usual)).toEqual(usual);
    const wide = { x: { type: 'vector', length: 321 } } as const;
    expect(
      declared({ features: wide, online: { experts: 'default' } }).online.experts,
    ).not.toContainEqual(ofSecondOrder);
  });

  it('has default experts beside any Fourier features of its own', () => {
    const { experts = [] } = declared({
      network: { hidden: [8], fourier: { units: 600 } },
      online: { experts: 'default' },
    }).online;
    expect(experts).toContainEqual({ predicts: 'stack' });
    expect(experts.some((each) => 'secondOrder' in each)).toBe(false);
  });

  it('stays alone in a model of an earlier release', () => {
    const { experts: _, ...online } = declared({}).online;
    const existing: Spec = { ...declared({}), online };
    expect(withDefaultsOf(existing, declared({}))).toEqual(existing);
    const asked = declared({ online: { experts: 'default' } });
    expect(withDefaultsOf(existing, asked)).not.toEqual(existing);
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
