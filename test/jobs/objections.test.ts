import { describe, expect, it } from 'vitest';
import { objectionTo } from '../../lib/jobs/comparison.ts';

const better = { champion: 0.4, challenger: 0.3, baseline: 0.9 };

describe('why a champion is kept', () => {
  it.each([
    [{ heldOut: better, stream: better }, undefined],
    [{ heldOut: better }, undefined],
    [
      { heldOut: better, stream: { ...better, challenger: 0.46673333333333 } },
      "on the latest of the stream its loss of 0.466733 is not lower than the champion's (0.4) by 0.05",
    ],
    [
      { heldOut: { ...better, challenger: 0.39 }, stream: better },
      "on the held-out rows its loss of 0.39 is not lower than the champion's (0.4) by 0.05",
    ],
    [
      { stream: { champion: null, challenger: 2, baseline: 1.5 } },
      'on the latest of the stream its loss of 2 is higher than that of a constant (1.5)',
    ],
    [
      {},
      'there is nothing to compare it on: no held-out rows (spec.batch.validation) and no stream',
    ],
  ])('of %j: %s', (comparison, objection) => {
    expect(objectionTo(comparison, 0.05, 0)).toBe(objection);
  });

  it('says that a champion may know rows which came with its stream', () => {
    const heldOut = { champion: 0.4, challenger: 0.39 };
    expect(objectionTo({ heldOut }, 0, 0)).toBeUndefined();
    expect(objectionTo({ heldOut }, 0.05, 0)).not.toContain('of the stream');
    expect(objectionTo({ heldOut }, 0.05, 1_200)).toContain(
      '(0.4) by 0.05; that has learnt 1,200 samples of the stream: if these rows were among them, it',
    );
    expect(objectionTo({ stream: heldOut }, 0.05, 1_200)).not.toContain('these rows');
  });

  it('says what to do where rows may be newer than the stream on which they are no better', () => {
    const worse = { champion: 0.4, challenger: 2, baseline: 1.5 };
    const hint = 'if those came after the stream, send them to it';
    expect(objectionTo({ heldOut: better, stream: worse }, 0, 900)).toContain(hint);
    const beaten = { champion: 0.4, challenger: 0.5, baseline: 1.5 };
    expect(objectionTo({ heldOut: better, stream: beaten }, 0, 900)).toContain(hint);
    expect(objectionTo({ stream: worse }, 0, 900)).not.toContain(hint);
    expect(objectionTo({ heldOut: { ...better, challenger: 1 } }, 0, 900)).not.toContain(hint);
  });
});
