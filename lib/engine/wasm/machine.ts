import { MillraceError } from '../../errors.ts';
import type { Spec } from '../../spec/spec.ts';
import type { Instance } from '../../wasm/runtime.ts';
import type { Tensor, Tensors } from '../engine.ts';
import { isFiniteArray, isFiniteState, markFinite } from '../finite.ts';
import type { ProgramArtifact } from './artifact.ts';
import type { CallLayout } from './program.ts';
import { type Region, Version } from './versions.ts';

/** A module that runs, and which state its memory holds. */
export type Machine = {
  readonly spec: Spec;
  readonly artifact: ProgramArtifact;
  readonly instance: Instance;
  held: Tensors | undefined;
  /** The newest version of each large table. */
  tables: readonly Version[];
};

/** Starts with a memory that holds no state. */
export function createMachine(spec: Spec, artifact: ProgramArtifact, instance: Instance): Machine {
  return { spec, artifact, instance, held: undefined, tables: [] };
}

/** Where a call finds and leaves its arrays. */
export function layoutOf({ artifact }: Machine, call: string): CallLayout {
  const layout = artifact.calls[call];
  if (layout === undefined) throw new MillraceError('corrupt', `the program cannot ${call}`);
  return layout;
}

type Place = { readonly address: number; readonly size: number };

/** Elements of a place for so many steps, as they lie in memory. */
export function floats({ instance }: Machine, { address, size }: Place, steps = 1): Float32Array {
  return new Float32Array(instance.memory.buffer, address, size * steps);
}

/**
 * Whether the memory holds a state: the same tensors, whichever object they are handed around in.
 */
export function holds({ held, artifact }: Machine, tensors: Tensors): boolean {
  if (held === undefined) return false;
  for (const name of Object.keys(artifact.states)) if (held[name] !== tensors[name]) return false;
  return true;
}

/** Puts a state into the memory, unless it is the one that is there. */
export function hold(machine: Machine, tensors: Tensors): void {
  if (holds(machine, tensors)) return;
  machine.held = undefined;
  // Read before the memory is used: what is to be held may itself be an older version of it.
  const parts = Object.entries(machine.artifact.states).map(([name, place]) => {
    const data = tensors[name]?.data;
    if (data?.length !== place.size)
      throw new MillraceError('corrupt', `a state has no tensor ${name} of ${place.size} elements`);
    return [place, data] as const;
  });
  for (const table of machine.tables) table.leave();
  for (const [place, data] of parts) floats(machine, place).set(data);
  machine.tables = machine.artifact.tables.map(
    ({ regions }) => new Version(regions, memoryOf(machine)),
  );
  machine.held = tensors;
}

/** (In a function of its own: versions live on, and would keep all that {@link hold} knows.) */
function memoryOf({ instance }: Machine): () => ArrayBuffer {
  return () => instance.memory.buffer;
}

/**
 * The state after a change of the one that the memory holds.
 *
 * @param touched the rows of each large table that may change, each once
 */
export function change(
  machine: Machine,
  before: Tensors,
  touched: readonly Int32Array[],
  run: () => void,
): Tensors {
  hold(machine, before);
  const wasFinite = isFiniteState(before);
  // Until the new state is read, the memory holds none.
  machine.held = undefined;
  const nested = machine.tables.reduceRight<() => readonly Version[]>(
    (inner, table, i) => () => {
      let rest: readonly Version[] = [];
      const next = table.advance(touched[i] ?? new Int32Array(), () => {
        rest = inner();
      });
      return [next, ...rest];
    },
    () => {
      run();
      return [];
    },
  );
  machine.tables = nested();
  const areRowsFinite =
    wasFinite &&
    machine.tables.every((table, i) =>
      table.current(touched[i] ?? new Int32Array()).every(isFiniteArray),
    );
  return taken(machine, before, areRowsFinite);
}

/** {@link change} of a state without large tables, by what has to wait for others. */
export async function changeMeanwhile(
  machine: Machine,
  before: Tensors,
  run: () => Promise<void>,
): Promise<Tensors> {
  hold(machine, before);
  machine.held = undefined;
  await run();
  return taken(machine, before, true);
}

/** The state that the memory has come to, which it holds from now on. */
function taken(machine: Machine, before: Tensors, areRowsFinite: boolean): Tensors {
  const tensors = take(machine, before);
  if (areRowsFinite && smallPartsOf(machine, tensors).every(isFiniteArray)) markFinite(tensors);
  machine.held = tensors;
  return tensors;
}

/** Copies the state out of the memory, but for what it shares with others of large tables. */
function take(machine: Machine, before: Tensors): Tensors {
  const { artifact, tables } = machine;
  const regions = artifact.tables.flatMap((table, i) =>
    table.regions.map((region) => ({ region, version: tables[i] })),
  );
  // A loop: small networks learn single samples, of which each asks for this.
  const taken: Record<string, Tensor> = {};
  for (const name of Object.keys(before)) {
    const [place, shape] = [artifact.states[name], before[name]?.shape ?? []];
    if (place === undefined) throw new MillraceError('corrupt', `no program has ${name}`);
    const own = regions.filter(({ region }) => region.part === name);
    const elements = floats(machine, place);
    taken[name] =
      own.length === 0 ? { shape, data: elements.slice() } : sharedTensor(shape, elements, own);
  }
  return taken;
}

type Shared = { readonly region: Region; readonly version: Version | undefined };

/** A tensor that is put together once somebody reads it. */
function sharedTensor(
  shape: readonly number[],
  elements: Float32Array,
  shared: readonly Shared[],
): Tensor {
  const { length } = elements;
  const regions = shared.map(({ region }) => region);
  const gaps = gapsBetween(regions, length).map(
    ([start, end]) => [start, elements.slice(start, end)] as const,
  );
  let whole: Float32Array | undefined;
  const join = (): Float32Array => {
    const [only] = shared;
    const copy = only?.version?.read(only.region);
    if (copy?.length === length) return copy;
    const data = new Float32Array(length);
    for (const { region, version } of shared)
      data.set(version?.read(region) ?? new Float32Array(), region.offset);
    for (const [start, gap] of gaps) data.set(gap, start);
    return data;
  };
  return {
    shape,
    get data() {
      whole ??= join();
      return whole;
    },
  };
}

/** What lies between regions: the first element and the one after the last. */
function gapsBetween(regions: readonly Region[], length: number): [number, number][] {
  const gaps: [number, number][] = [];
  let start = 0;
  for (const { offset, rows, width } of regions.toSorted((a, b) => a.offset - b.offset)) {
    if (offset > start) gaps.push([start, offset]);
    start = offset + rows * width;
  }
  if (length > start) gaps.push([start, length]);
  return gaps;
}

/** What was copied of a state: all that lies outside of large tables. */
function smallPartsOf(machine: Machine, tensors: Tensors): Float32Array[] {
  const { artifact } = machine;
  const regions = artifact.tables.flatMap((table) => table.regions);
  if (regions.length === 0)
    return Object.keys(artifact.states).map((name) => dataOf(tensors, name));
  return Object.entries(artifact.states).flatMap(([name, place]) => {
    const own = regions.filter(({ part }) => part === name);
    if (own.length === 0) return [dataOf(tensors, name)];
    const elements = floats(machine, place);
    return gapsBetween(own, place.size).map(([start, end]) => elements.subarray(start, end));
  });
}

function dataOf(tensors: Tensors, name: string): Float32Array {
  return tensors[name]?.data ?? new Float32Array();
}
