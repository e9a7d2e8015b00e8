import { elementBytes } from '../../wasm/instructions.ts';
import {
  type Constant,
  type Graph,
  type Node,
  sizeOf,
  type Value,
  valuesOf,
} from '../trace/graph.ts';
import { UntraceableError } from '../trace/untraceable.ts';
import { isElementwise } from './elementwise.ts';
import { type Memory, shareMemory } from './memory.ts';
import { moves } from './moves.ts';
import { reducers } from './reductions.ts';
import { bytesOfShape } from './references.ts';
import { type Resolved, resolveReferences } from './resolve.ts';
import { type Schedule, schedule } from './schedule.ts';
import type { Touched } from './tables.ts';

/** A step as a graph, and where what it has to do with others lies in memory. */
export type StepParts = {
  readonly graph: Graph;
  /** Addresses of its inputs. */
  readonly inputs: ReadonlyMap<string, number>;
  /** Addresses of those outputs that are no inputs; the others replace their input. */
  readonly outputs: ReadonlyMap<string, number>;
  /** The address of the samples' shares, of which those of 0 touch no row; none when predicting. */
  readonly shares?: number | undefined;
  readonly minibatch: number;
  /** Whether products of matrices add up without rounding each term. */
  readonly isFused: boolean;
};

/** Where everything of a step lies. */
export type Plan = Resolved & {
  readonly graph: Graph;
  readonly values: ReadonlyMap<string, Value>;
  /** Values that replace a part of the state. */
  readonly states: ReadonlySet<string>;
  readonly schedule: Schedule;
  /** The address of a value that lies in memory; undefined of one that only its kernel needs. */
  readonly addressOf: (base: string) => number | undefined;
  readonly memory: Memory;
  /** The touched rows so far, by their touching value. */
  readonly rows: Map<string, Touched>;
  readonly shares: number | undefined;
  readonly minibatch: number;
};

/** Operators whose kernels follow any strides, and reductions of what has vectors. */
function isAnywhere(node: Node, of: Resolved['of']): boolean {
  if (isElementwise(node) || ['Einsum', 'Fold', 'Pad'].includes(node.op)) return true;
  const [x = ''] = node.inputs;
  return Object.hasOwn(reducers, node.op) && of(x).strides.at(-1) === elementBytes;
}

/** Decides what is computed where, and in which order. */
export function createPlan(memory: Memory, parts: StepParts): Plan {
  const { graph, inputs, outputs } = withCopies(parts);
  const values = valuesOf(graph);
  const resolved = resolveReferences(graph, isAnywhere);
  // (Copies of what lies in pieces are values of the plan alone.)
  const all = new Map([
    ...values,
    ...resolved.nodes.flatMap((node) => node.outputs.map((each) => [each.name, each] as const)),
  ]);
  const replaces = new Map(
    [...graph.outputs].flatMap(([name, value]) =>
      inputs.has(name) && value.name !== name
        ? [[resolved.of(value.name).base, name] as const]
        : [],
    ),
  );
  const isZero = (name: string | undefined) =>
    graph.constants.get(name ?? '')?.data.every((each) => each === 0) === true;
  const isTouching = ({ op, inputs: [data] }: Node) => op === 'ScatterND' && isZero(data);
  const kept = new Set([...graph.outputs.values()].map(({ name }) => resolved.of(name).base));
  const planned = schedule({ ...resolved, isElementwise, isTouching, kept, replaces });
  const addresses = placeValues(memory, {
    graph,
    inputs,
    outputs,
    resolved,
    replaces,
    planned,
    all,
  });
  const rows = new Map<string, Touched>();
  const constants = new Map<string, number>();
  return {
    ...resolved,
    graph,
    values: all,
    states: new Set(replaces.keys()),
    schedule: planned,
    memory,
    addressOf(base) {
      const constant = graph.constants.get(base);
      if (constant === undefined) return addresses.get(base);
      const known = constants.get(base) ?? memory.keep(inMemory(constant));
      constants.set(base, known);
      return known;
    },
    rows,
    shares: parts.shares,
    minibatch: parts.minibatch,
  };
}

/** Constants as kernels take them: masks have all bits set. */
export function inMemory({ type, data }: Constant): Float32Array | Int32Array {
  if (type === 'bool') return Int32Array.from(data, (each) => (each === 0 ? 0 : -1));
  return data instanceof Float64Array ? Float32Array.from(data) : data;
}

/**
 * A graph whose outputs are each a value of their own that a node makes, so that it can be stored
 * where the output belongs.
 */
function withCopies(parts: StepParts): StepParts {
  const { graph } = parts;
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs.map(({ name }) => name)));
  const movers = new Set(
    graph.nodes.flatMap(({ op, outputs }) =>
      Object.hasOwn(moves, op) ? outputs.map(({ name }) => name) : [],
    ),
  );
  const taken = new Set<string>();
  const copies: Node[] = [];
  const outputs = new Map<string, Value>();
  for (const [name, value] of graph.outputs) {
    if (value.name === name) continue;
    const isOwn = made.has(value.name) && !movers.has(value.name) && !taken.has(value.name);
    taken.add(value.name);
    if (isOwn) {
      outputs.set(name, value);
      continue;
    }
    const copy = { ...value, name: `${name}_out` };
    copies.push({ op: 'Identity', inputs: [value.name], outputs: [copy], attributes: {} });
    outputs.set(name, copy);
  }
  return { ...parts, graph: { ...graph, nodes: [...graph.nodes, ...copies], outputs } };
}

type ToPlace = Pick<StepParts, 'graph' | 'inputs' | 'outputs'> & {
  readonly resolved: Resolved;
  readonly replaces: ReadonlyMap<string, string>;
  readonly planned: Schedule;
  readonly all: ReadonlyMap<string, Value>;
};

/** The addresses of inputs, outputs, and of values that go from one kernel to another. */
function placeValues(
  memory: Memory,
  { graph, inputs, outputs, resolved, replaces, planned, all }: ToPlace,
): ReadonlyMap<string, number> {
  const addresses = new Map(inputs);
  for (const [name, value] of graph.outputs) {
    const address = outputs.get(name) ?? inputs.get(replaces.get(value.name) ?? '');
    if (address !== undefined) addresses.set(value.name, address);
  }
  const last = new Map<string, number>();
  planned.kernels.forEach((kernel, place) => {
    for (const name of kernel.nodes.flatMap((node) => node.inputs)) {
      if (name !== '') last.set(resolved.of(name).base, place);
    }
  });
  const lifetimes = [...planned.placeOf].flatMap(([name, from]) => {
    const to = last.get(name) ?? from;
    const isLocal = to === from && planned.kernels[from]?.isElementwise === true;
    if (addresses.has(name) || isLocal) return [];
    return [{ name, bytes: bytesOfShape(shapeInMemory(name, { planned, all, graph })), from, to }];
  });
  return new Map([...addresses, ...shareMemory(memory, lifetimes)]);
}

/** The shape of a value; of touched rows, there are at most as many as entries. */
function shapeInMemory(
  name: string,
  { planned, all }: Pick<ToPlace, 'planned' | 'all' | 'graph'>,
): readonly number[] {
  const touching = planned.touchedBy.get(name);
  const shape = all.get(name)?.shape ?? [];
  if (touching === undefined) return shape;
  const node = planned.kernels[planned.placeOf.get(touching) ?? -1]?.nodes[0];
  const entries = entriesOf(node, all);
  return [entries, ...shape.slice(1)];
}

/** How many rows a scatter adds up. */
function entriesOf(node: Node | undefined, values: ReadonlyMap<string, Value>): number {
  const updates = values.get(node?.inputs[2] ?? '')?.shape ?? [];
  const row = node?.outputs[0]?.shape.slice(1) ?? [];
  return sizeOf(updates) / Math.max(1, sizeOf(row));
}

/** The touched rows of a touching value, once they are touched. */
export function touchedRows(touching: string, { rows }: Plan): Touched {
  const known = rows.get(touching);
  if (known === undefined) throw new UntraceableError('rows are used before they are touched');
  return known;
}
