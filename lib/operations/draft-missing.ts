/** What stands for missing values of numbers and times, where there were some. */
export function standInFor(missing: number): { missing?: 'mean' } {
  return missing > 0 ? { missing: 'mean' } : {};
}

/** "3 missing values are": the beginning of a sentence about them. */
export function missingValues(missing: number): string {
  return `${missing} missing ${missing === 1 ? 'value is' : 'values are'}`;
}

/** What a draft says of missing numbers and times of a column. */
export function learntAsMean(name: string, missing: number): string {
  return `${name}: ${missingValues(missing)} learnt as the mean so far`;
}
