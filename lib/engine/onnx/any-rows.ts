import { type Constant, type Graph, type Node, sizeOf, valuesOf } from '../trace/graph.ts';
import { UntraceableError } from '../trace/untraceable.ts';

/** Numbers of rows to trace for: primes, of which a network has not both as dimensions. */
const primes = [7_919, 6_007] as const;

/**
 * A number of rows that a network has as no other dimension: whatever is a multiple of it in the
 * traced graph comes from the rows.
 *
 * @param dimensions of its weights and inputs
 */
export function rowsToTrace(dimensions: readonly number[]): number {
  const free = primes.find((prime) => dimensions.every((each) => each % prime !== 0 || each === 0));
  return free ?? primes[0];
}

/** To the end, for a Slice. */
const toTheEnd = 2 ** 31 - 1;

/** Operators that take a single row with many rows, and mean the same row for each of them. */
const broadcasting = new Set(
  ['Add', 'Sub', 'Mul', 'Div', 'Pow', 'Max', 'Min', 'Where'].concat([
    'And',
    'Or',
    'Equal',
    'Less',
    'LessOrEqual',
    'Greater',
    'GreaterOrEqual',
  ]),
);

/**
 * A graph that was traced for {@link rowsToTrace} rows, for any number of them. A value that is the
 * same in every row keeps a single one.
 *
 * @throws UntraceableError if what it does depends on the number of rows
 */
export function withAnyRows(graph: Graph, tracedRows: number): Graph {
  const isOfRows = (dimension: number) => dimension !== 0 && dimension % tracedRows === 0;
  const values = valuesOf(graph);
  const constants = new Map<string, Constant>();
  const single = new Set<string>();
  for (const [name, constant] of graph.constants) {
    if (!constant.shape.some(isOfRows)) constants.set(name, constant);
    else {
      constants.set(name, firstRow(constant, tracedRows));
      single.add(name);
    }
  }
  const hasRows = (name: string) => values.get(name)?.shape.some(isOfRows) === true;
  const nodes = graph.nodes.map((node) => {
    const inputs = node.inputs.map((name, place) => {
      const constant = graph.constants.get(name);
      if (constant === undefined || !namesRows(constant, isOfRows)) return name;
      const own = { ...constant, name: `${name}/any/${node.outputs[0]?.name}` };
      constants.set(own.name, { ...own, data: withoutRows(constant, { node, place, isOfRows }) });
      if (repeating.has(node.op)) for (const output of node.outputs) single.add(output.name);
      return own.name;
    });
    const ofRows = node.inputs.filter(hasRows);
    const alone = ofRows.filter((name) => single.has(name));
    if (alone.length > 0 && alone.length === ofRows.length)
      for (const output of node.outputs) single.add(output.name);
    else if (alone.length > 0 && !broadcasting.has(node.op)) throw dependsOnRows(node.op);
    return { ...node, inputs };
  });
  if ([...graph.outputs.values()].some(({ name }) => single.has(name)))
    throw dependsOnRows('its output');
  const used = new Set(nodes.flatMap(({ inputs }) => inputs));
  return {
    ...graph,
    constants: new Map([...constants].filter(([name]) => used.has(name))),
    nodes,
  };
}

type IsOfRows = (dimension: number) => boolean;

/** Whether a constant is a shape, or the end of a slice, with the number of rows in it. */
function namesRows({ type, data }: Constant, isOfRows: IsOfRows): boolean {
  return type !== 'float32' && Array.from(data).some(isOfRows);
}

/** Operators that repeat a row as often as there are rows; broadcasting needs only the one. */
const repeating = new Set(['Tile', 'Expand']);

/** A shape, the end of a slice, or repetitions, without the number of rows. */
function withoutRows(
  { data }: Constant,
  { node: { op }, place, isOfRows }: { node: Node; place: number; isOfRows: IsOfRows },
): Int32Array {
  const elements = Int32Array.from(data);
  const replaced = (by: number) => elements.map((element) => (isOfRows(element) ? by : element));
  if (op === 'Slice' && place === 2) return replaced(toTheEnd);
  // −1: as many as there are.
  if (op === 'Reshape' && elements.filter(isOfRows).length === 1) return replaced(-1);
  if (repeating.has(op) && isOfRows(elements[0] ?? 0)) return replaced(1);
  throw dependsOnRows(op);
}

/** A constant with a single row, if all of its rows are the same. */
function firstRow(constant: Constant, tracedRows: number): Constant {
  const { shape, data } = constant;
  const axis = shape.indexOf(tracedRows);
  const row = shape.map((dimension, i) => (i === axis ? 1 : dimension));
  const size = sizeOf(row.slice(axis));
  const above = sizeOf(row.slice(0, axis));
  const isSame = above === 1 && data.every((element, i) => element === data[i % size]);
  if (!isSame) throw dependsOnRows('a constant');
  return { ...constant, shape: row, data: data.slice(0, size) };
}

function dependsOnRows(what: string): UntraceableError {
  return new UntraceableError(`what it does depends on the number of rows (${what})`);
}
