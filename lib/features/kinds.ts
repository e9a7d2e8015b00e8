import { z } from 'zod';
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
export function behaviourOf(feature: Feature): FeatureBehaviour {
  switch (feature.type) {
    case 'number':
      return numberBehaviour(feature);
    case 'vector':
      return vectorBehaviour(feature);
    case 'category':
      return categoryBehaviour(feature);
  }
}
