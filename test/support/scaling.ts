import type { Scaling } from '../../lib/features/scaling.ts';

/** Columns that are standardised or not, in one view. */
export function scaling(...columns: boolean[]): Scaling {
  return { columns: columns.map((isStandardized) => ({ isStandardized })), views: [] };
}
