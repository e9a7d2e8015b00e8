import { z } from 'zod';
import type { Cells } from './cells.ts';
import { categoryBehaviour, categorySchema } from './kinds/category.ts';
import type { FeatureBehaviour } from './kinds/kind.ts';
import { numberBehaviour, numberSchema } from './kinds/number.ts';
import { vectorBehaviour, vectorSchema } from './kinds/vector.ts';

/** One feature of a sample, as a spec declares it. */
export const featureSchema = z.discriminatedUnion('type', [
  numberSchema,
  vectorSchema,
  categorySchema,
]);

/** A validated feature, with its defaults filled in. */
export type Feature = z.output<typeof featureSchema>;

/** The behaviour of a declared feature. */
export function behaviourOf(feature: Feature, cells: Cells): FeatureBehaviour {
  switch (feature.type) {
    case 'number':
      return numberBehaviour(feature, cells);
    case 'vector':
      return vectorBehaviour(feature, cells);
    case 'category':
      return categoryBehaviour(feature, cells);
  }
}
