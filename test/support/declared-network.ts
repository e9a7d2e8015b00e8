import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';

/** A regression of one number, which nobody has tuned. */
export const input: SpecInput = {
  model: 'm',
  task: 'regression',
  features: { x: { type: 'number' } },
  network: { hidden: [4] },
};

/** Such a spec, but for some fields. */
export const declared = (own: Partial<SpecInput>) => defineSpec({ ...input, ...own });
