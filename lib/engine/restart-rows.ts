import { invariant } from '../errors.ts';
import { isTrained } from '../network/weight-names.ts';
import type { EngineState, RestartedRows, Tensor, Tensors } from './engine.ts';

/** Where a table begins in a tensor, and elements of its rows there. */
export type TablePlace = {
  readonly tensor: string;
  readonly offset: number;
  readonly width: number;
};

/**
 * Where the tables of a generated network lie: as weights, and in each slot, which is one vector
 * over all trained weights in their order.
 */
export function placesOfTables(tensors: Tensors, tables: readonly string[]): readonly TablePlace[] {
  const places: TablePlace[] = [];
  let size = 0;
  for (const [tensor, { shape }] of Object.entries(tensors)) {
    if (!tensor.startsWith('weights/') || !isTrained(tensor)) continue;
    if (tables.includes(tensor)) places.push({ tensor, offset: size, width: shape[1] ?? 1 });
    size += shape.reduce((product, each) => product * each, 1);
  }
  const slots = Object.entries(tensors).flatMap(([tensor, { shape }]) => {
    if (!tensor.startsWith('optimizer/')) return [];
    invariant(shape[0] === size, `${tensor} is not over all trained weights`);
    return places.map((place) => ({ ...place, tensor }));
  });
  return [...places.map((place) => ({ ...place, offset: 0 })), ...slots];
}

/** The state in which rows are what they were at first: tensors that have some are copied. */
export function restartedState(
  initial: Tensors,
  state: EngineState,
  restarted: readonly RestartedRows[],
): EngineState {
  const changed: Record<string, Tensor> = {};
  for (const { tables, rows } of restarted) {
    for (const { tensor: name, offset, width } of placesOfTables(initial, tables)) {
      const [own, first] = [changed[name] ?? state.tensors[name], initial[name]];
      invariant(own !== undefined && first !== undefined, `a state has no tensor ${name}`);
      const data = changed[name] === undefined ? own.data.slice() : own.data;
      for (const row of rows) copyRow(data, first.data, offset + row * width, width);
      changed[name] = { shape: own.shape, data };
    }
  }
  return { ...state, tensors: { ...state.tensors, ...changed } };
}

/** Copies elements to where they lie in another array of the same layout. */
export function copyRow(to: Float32Array, from: Float32Array, start: number, width: number): void {
  to.set(from.subarray(start, start + width), start);
}
