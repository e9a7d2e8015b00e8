import { describe, expect, it } from 'vitest';
import { confusionFigures } from '../../lib/metrics/confusion.ts';

/** Of rows by the label, and columns by the prediction. */
function figuresOfCounts(counts: readonly (readonly number[])[]) {
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0);
  return confusionFigures({
    labels: Float64Array.from(counts, sum),
    predicted: Float64Array.from(counts, (_, i) => sum(counts.map((row) => row[i] ?? 0))),
    right: Float64Array.from(counts, (row, i) => row[i] ?? 0),
  });
}

describe('the figures of a confusion', () => {
  // (Those of scikit-learn 1.2 on labels and predictions that are counted so.)
  it.each([
    [
      [
        [50, 3, 2],
        [4, 20, 6],
        [0, 5, 10],
      ],
      {
        balancedAccuracy: 0.7474747474747474,
        cohensKappa: 0.6621621621621622,
        f1: 0.7377156570449831,
        accuracyOfCommonestLabel: 0.55,
      },
    ],
    [
      [
        [900, 20],
        [30, 50],
      ],
      {
        balancedAccuracy: 0.8016304347826086,
        cohensKappa: 0.6397694524495677,
        f1: 0.6666666666666666,
        precision: 0.7142857142857143,
        recall: 0.625,
        accuracyOfCommonestLabel: 0.92,
      },
    ],
    [
      [
        [0, 0, 0],
        [1, 5, 2],
        [0, 3, 4],
      ],
      {
        balancedAccuracy: 0.5982142857142857,
        cohensKappa: 0.24369747899159666,
        f1: 0.4134615384615385,
        accuracyOfCommonestLabel: 8 / 15,
      },
    ],
    [
      [
        [7, 0],
        [3, 0],
      ],
      { balancedAccuracy: 0.5, cohensKappa: 0, f1: 0, recall: 0, accuracyOfCommonestLabel: 0.7 },
    ],
  ])('are those of scikit-learn: %#', (counts, figures) => {
    const found = figuresOfCounts(counts);
    expect(Object.keys(found).sort()).toEqual(Object.keys(figures).sort());
    for (const [name, value] of Object.entries(figures))
      expect(found[name as keyof typeof found]).toBeCloseTo(value, 12);
  });

  it('are whole where one class alone is there, and absent where nothing can be said', () => {
    const only = figuresOfCounts([
      [0, 0],
      [0, 10],
    ]);
    expect(only).toMatchObject({ f1: 1, precision: 1, recall: 1, balancedAccuracy: 1 });
    const other = figuresOfCounts([
      [10, 0],
      [0, 0],
    ]);
    expect(other).toEqual({ balancedAccuracy: 1, accuracyOfCommonestLabel: 1 });
  });

  it('say nothing of no samples', () => {
    expect(
      figuresOfCounts([
        [0, 0],
        [0, 0],
      ]),
    ).toEqual({});
  });
});
