import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonOfSamples, jsonWithSamples, samplesAt } from '../../lib/features/sample-json.ts';

describe('the JSON of samples', () => {
  it('is what JSON.stringify writes, however often and of whatever it is asked', () => {
    const content = fc.dictionary(
      fc.oneof(fc.constantFrom('samples', 'labels', 'toJSON', '"'), fc.string()),
      fc.oneof(fc.jsonValue(), fc.array(fc.jsonValue()), fc.constant(undefined)),
    );
    const property = (parts: Record<string, unknown>) => {
      expect(jsonWithSamples(parts)).toBe(JSON.stringify(parts));
      expect(jsonWithSamples(parts)).toBe(JSON.stringify(parts));
    };
    fc.assert(fc.property(content, property));
    fc.assert(fc.property(fc.array(fc.jsonValue()), (samples) => property({ samples })));
  });

  it('is written once for a list', () => {
    const list = [{ features: { x: 1 }, label: true }];
    expect(jsonOfSamples(list)).toBe(jsonOfSamples(list));
    const some = samplesAt(list, [0]) as readonly unknown[];
    expect(jsonOfSamples(some)).toEqual(jsonOfSamples(list));
  });
});
