import { isOfNeighbours, isOfTrees } from '../../spec/experts-schema.ts';
import type { Spec } from '../../spec/spec.ts';
import type { CompiledModel } from '../engine.ts';
import { byNeighbours } from './neighbours.ts';
import type { Part } from './parts.ts';
import { byTrees } from './trees.ts';

/** An expert that keeps the latest samples and needs no network, if it is one. */
export function keeperOf(
  spec: Spec,
  { expert, labels }: Pick<Part, 'expert' | 'labels'>,
): CompiledModel | undefined {
  if (isOfNeighbours(expert)) return byNeighbours(spec, expert, labels);
  return isOfTrees(expert) ? byTrees(spec, expert, labels) : undefined;
}
