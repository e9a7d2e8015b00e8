import type { Tensor, Tensors } from '../engine/engine.ts';
import { invariant } from '../errors.ts';
import type { Grown } from '../features/vocabularies.ts';
import { tableNames } from '../network/table-names.ts';

/**
 * Tensors in which rows of tables, with the optimizer's slots over them, are what they were in the
 * beginning: what they had learnt is of a value that they do not stand for any more.
 */
export function withRowsRestarted(
  initial: Tensors,
  tensors: Tensors,
  reused: Grown['reused'],
): Tensors {
  const changed: Record<string, Tensor> = {};
  for (const { name: feature, rows } of reused) {
    if (rows.size === 0) continue;
    for (const { tensor: name, offset, width } of placesOfTable(initial, feature)) {
      const [own, first] = [changed[name] ?? tensors[name], initial[name]];
      invariant(own !== undefined && first !== undefined, `a state has no tensor ${name}`);
      const data = changed[name] === undefined ? own.data.slice() : own.data;
      for (const row of rows) {
        const start = offset + row * width;
        data.set(first.data.subarray(start, start + width), start);
      }
      changed[name] = { shape: own.shape, data };
    }
  }
  return { ...tensors, ...changed };
}

/** Where a table begins in a tensor, and elements of its rows there. */
type Place = { readonly tensor: string; readonly offset: number; readonly width: number };

/**
 * The tables of a feature: of each network, whose names may have an expert's in them, as weights and
 * in each slot, which is one vector over all weights in their order.
 */
function placesOfTable(tensors: Tensors, feature: string): readonly Place[] {
  const tables = new Set(tableNames(feature));
  const networks = new Map<string, Place[]>();
  const sizes = new Map<string, number>();
  for (const [name, { shape }] of Object.entries(tensors)) {
    if (!name.startsWith('weights/')) continue;
    const expert = expertOf(name);
    const offset = sizes.get(expert) ?? 0;
    const size = shape.reduce((product, each) => product * each, 1);
    sizes.set(expert, offset + size);
    const own = networks.get(expert) ?? [];
    networks.set(expert, own);
    if (tables.has(name.replace(/\/expert_\d+\//, '/')))
      own.push({ tensor: name, offset, width: shape[1] ?? 1 });
  }
  return [...networks].flatMap(([expert, places]) => [
    ...places.map((place) => ({ ...place, offset: 0 })),
    ...Object.entries(tensors).flatMap(([name, { shape }]) => {
      if (!name.startsWith('optimizer/') || expertOf(name) !== expert || places.length === 0)
        return [];
      invariant(shape[0] === sizes.get(expert), `${name} is not over all weights`);
      return places.map(({ offset, width }) => ({ tensor: name, offset, width }));
    }),
  ]);
}

/** The part of a tensor's name that is an expert's; empty where there is one network. */
function expertOf(name: string): string {
  return /\/(expert_\d+)\//.exec(name)?.[1] ?? '';
}
