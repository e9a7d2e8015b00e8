import { isDeepStrictEqual } from 'node:util';
import { describe, expect, it } from 'vitest';
import { withDefaultsOf, withDefaultsUnlessSaid } from '../../lib/spec/earlier-defaults.ts';
import { replaySchema } from '../../lib/spec/experts-schema.ts';
import { defineSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';
import { declared, input } from '../support/declared-network.ts';

describe('a declared network of an earlier release', () => {
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

  it('keeps those of before 0.41 over long texts, or over categories of many values', () => {
    const second = { hidden: [], replay: false, secondOrder: true };
    const before = [
      { hidden: [32], rate: 0.3, replay: true },
      { hidden: [32, 32], rate: 0.3, replay: true },
      { hidden: [32], rate: 0.1, replay: false },
      { hidden: [32], rate: 0.3, halfLife: 16, replay: false },
      { hidden: [], rate: 1, halfLife: 100, replay: false },
      { hidden: [], rate: 0.1, replay: true },
    ];
    const last = [
      { predicts: 'prior' as const },
      { predicts: 'lastLabel' as const },
      { predicts: 'stack' as const },
    ];
    const kinds: readonly SpecInput['features'][] = [
      { note: { type: 'text', buckets: 2_048 } },
      { who: { type: 'category', buckets: 8_192 } },
    ];
    for (const features of kinds) {
      const asked = declared({ features, online: { experts: 'default' } });
      expect(asked.online.experts).toContainEqual(second);
      const replay = replaySchema.parse({});
      const experts = [...before, ...last];
      const existing: Spec = { ...asked, online: { ...asked.online, experts, replay } };
      expect(withDefaultsOf(existing, asked)).toEqual(existing);
      expect(withDefaultsOf(asked, asked)).toEqual(asked);
    }
  });

  it('keeps those of before 0.41 without products of more than 16 numbers', () => {
    const asked = declared({
      features: { x: { type: 'vector', length: 17 } },
      online: { experts: 'default' },
    });
    const products = { hidden: [], replay: false, secondOrder: true, quadratic: {} };
    expect(asked.online.experts).toContainEqual(products);
    const experts = asked.online.experts?.filter((each) => !isDeepStrictEqual(each, products));
    const existing: Spec = { ...asked, online: { ...asked.online, experts } };
    expect(withDefaultsOf(existing, asked)).toEqual(existing);
  });

  it('keeps trees of before 0.41 that look at the words of a short text', () => {
    const features: SpecInput['features'] = {
      x: { type: 'vector', length: 10 },
      note: { type: 'text', buckets: 16 },
    };
    const asked = declared({ features, online: { experts: 'default' } });
    const trees = { predicts: 'trees' as const, trees: 60, leaves: 16, rate: 0.2 };
    expect(asked.online.experts).toContainEqual({ ...trees, window: 6_400 });
    const experts = asked.online.experts?.map((each) =>
      'predicts' in each && each.predicts === 'trees' ? { ...trees, window: 2_461 } : each,
    );
    const existing: Spec = { ...asked, online: { ...asked.online, experts } };
    expect(withDefaultsOf(existing, asked)).toEqual(existing);
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

  it('stays alone in a model of an earlier release', () => {
    const { experts: _, ...online } = declared({}).online;
    const existing: Spec = { ...declared({}), online };
    expect(withDefaultsOf(existing, declared({}))).toEqual(existing);
    const asked = declared({ online: { experts: 'default' } });
    expect(withDefaultsOf(existing, asked)).not.toEqual(existing);
  });
});
