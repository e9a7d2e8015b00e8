import { isSameShape, type Node, sizeOf } from '../trace/graph.ts';
import { UntraceableError } from '../trace/untraceable.ts';
import { isWhole, type Reference } from './references.ts';
import type { Resolved } from './resolve.ts';

/** One pass over memory: a single operator, or elementwise operators over the same elements. */
export type Kernel = {
  readonly nodes: Node[];
  readonly isElementwise: boolean;
  /** The shape that elementwise operators loop over. */
  readonly shape: readonly number[];
  /** The value whose touched rows alone are visited; undefined where all elements are. */
  readonly touched: string | undefined;
};

/** What the scheduler must know of a graph. */
export type ToSchedule = Resolved & {
  readonly isElementwise: (node: Node) => boolean;
  /** Whether a node sums the gradient of a table by rows: a value of touched rows. */
  readonly isTouching: (node: Node) => boolean;
  /** Values that somebody else reads. */
  readonly kept: ReadonlySet<string>;
  /** Parts of the state that a value replaces in place, by the value. */
  readonly replaces: ReadonlyMap<string, string>;
};

/** Kernels in the order of execution, and which of them makes each value. */
export type Schedule = {
  readonly kernels: readonly Kernel[];
  readonly placeOf: ReadonlyMap<string, number>;
  /** The touching value that a value of touched rows belongs to. */
  readonly touchedBy: ReadonlyMap<string, string>;
};

/**
 * Puts nodes into kernels. Elementwise operators join the last kernel over the same elements that
 * comes after all that they need. What replaces a part of the state comes after all that reads it.
 */
export function schedule(graph: ToSchedule): Schedule {
  const kernels: Kernel[] = [];
  const placeOf = new Map<string, number>();
  const readers = readersOf(graph);
  const touchedOf = touchedValues(graph, readers);
  const touchedBy = new Map<string, string>();
  const made = new Set(graph.nodes.flatMap(({ outputs }) => outputs.map(({ name }) => name)));
  const placed = new Map<Node, number>();
  let waiting = [...graph.nodes];
  while (waiting.length > 0) {
    const left = waiting.filter((node) => {
      if (!isReady(node, { graph, readers, made, placed, placeOf })) return true;
      const touched = touchedOf.get(node);
      const place = graph.isElementwise(node)
        ? joinKernel(node, { graph, readers, made, placed, placeOf, kernels, touched })
        : kernels.push({ nodes: [node], isElementwise: false, shape: [], touched }) - 1;
      placed.set(node, place);
      for (const { name } of node.outputs) {
        placeOf.set(name, place);
        if (touched !== undefined) touchedBy.set(name, touched);
      }
      return false;
    });
    if (left.length === waiting.length)
      throw new UntraceableError('parts of the state wait for each other');
    waiting = left;
  }
  return { kernels, placeOf, touchedBy };
}

type Readers = ReadonlyMap<string, readonly Node[]>;

/** The nodes that read each value that lies in memory. */
function readersOf({ nodes, of }: ToSchedule): Readers {
  const readers = new Map<string, Node[]>();
  for (const node of nodes) {
    for (const name of node.inputs) {
      if (name === '') continue;
      const { base } = of(name);
      readers.set(base, [...(readers.get(base) ?? []), node]);
    }
  }
  return readers;
}

type Placing = {
  readonly graph: ToSchedule;
  readonly readers: Readers;
  /** Values that some node makes. */
  readonly made: ReadonlySet<string>;
  readonly placed: ReadonlyMap<Node, number>;
  readonly placeOf: ReadonlyMap<string, number>;
};

/** The nodes that must be done before a node may replace a part of the state. */
function readersBefore(node: Node, { graph, readers }: Placing): readonly Node[] {
  return node.outputs.flatMap(({ name }) => {
    const state = graph.replaces.get(name);
    return state === undefined ? [] : (readers.get(state) ?? []).filter((each) => each !== node);
  });
}

/** Whether all that a node needs is made, and all that it replaces is read. */
function isReady(node: Node, placing: Placing): boolean {
  const { graph, made, placed, placeOf } = placing;
  const isMade = (name: string) => {
    if (name === '') return true;
    const { base } = graph.of(name);
    return placeOf.has(base) || !made.has(base);
  };
  return (
    node.inputs.every(isMade) && readersBefore(node, placing).every((each) => placed.has(each))
  );
}

function joinKernel(
  node: Node,
  placing: Placing & { readonly kernels: Kernel[]; readonly touched: string | undefined },
): number {
  const { graph, placed, placeOf, kernels, touched } = placing;
  const shape = node.outputs[0]?.shape ?? [];
  let earliest = 0;
  for (const name of node.inputs) {
    if (name === '') continue;
    const reference = graph.of(name);
    const place = placeOf.get(reference.base);
    if (place === undefined) continue;
    // Within a kernel, a value is there only element by element.
    const isInside = isWhole(reference, shape) && kernels[place]?.isElementwise === true;
    earliest = Math.max(earliest, isInside ? place : place + 1);
  }
  for (const reader of readersBefore(node, placing)) {
    const place = placed.get(reader) ?? 0;
    const isAligned =
      kernels[place]?.isElementwise === true &&
      reader.inputs.every((name) => {
        const reference = graph.of(name);
        const isReplaced = node.outputs.some(
          (output) => graph.replaces.get(output.name) === reference.base,
        );
        return !isReplaced || isWhole(reference, shape);
      });
    earliest = Math.max(earliest, isAligned ? place : place + 1);
  }
  for (let place = kernels.length - 1; place >= earliest; place--) {
    const kernel = kernels[place];
    const isSame = kernel?.isElementwise === true && isSameShape(kernel.shape, shape);
    if (kernel === undefined || !isSame || kernel.touched !== touched) continue;
    kernel.nodes.push(node);
    return place;
  }
  return kernels.push({ nodes: [node], isElementwise: true, shape, touched }) - 1;
}

/**
 * The touching value whose rows each node works on. What is computed of a whole table, for touched
 * rows alone, is computed of those alone.
 */
function touchedValues(graph: ToSchedule, readers: Readers): ReadonlyMap<Node, string> {
  const touchedOf = new Map<Node, string>();
  const touchedBy = new Map<string, string>();
  const touch = (node: Node, touched: string) => {
    touchedOf.set(node, touched);
    for (const { name } of node.outputs) touchedBy.set(name, touched);
  };
  for (const node of graph.nodes) {
    const touched = touchedValueOf(node, graph, touchedBy);
    if (touched !== undefined) touch(node, touched);
  }
  for (const node of graph.nodes.toReversed()) {
    const [output] = node.outputs;
    if (output === undefined || touchedOf.has(node) || !graph.isElementwise(node)) continue;
    const users = readers.get(output.name) ?? [];
    const [touched, ...others] = new Set(users.map((user) => touchedOf.get(user)));
    const isOfTable = users.every(
      (user) =>
        graph.isElementwise(user) && isSameShape(user.outputs[0]?.shape ?? [], output.shape),
    );
    const isKept = graph.replaces.has(output.name) || graph.kept.has(output.name);
    if (touched !== undefined && others.length === 0 && isOfTable && !isKept) touch(node, touched);
  }
  return touchedOf;
}

/** The touching value whose rows a node works on; undefined of other nodes. */
function touchedValueOf(
  node: Node,
  graph: ToSchedule,
  touchedBy: ReadonlyMap<string, string>,
): string | undefined {
  const [output] = node.outputs;
  if (graph.isTouching(node)) return output?.name;
  const found = new Map<string, Reference>();
  for (const name of node.inputs) {
    if (name === '') continue;
    const reference = graph.of(name);
    const touched = touchedBy.get(reference.base);
    if (touched !== undefined) found.set(touched, reference);
  }
  const [touched, ...others] = found.keys();
  if (touched === undefined) return undefined;
  const isOfRows =
    output !== undefined && [...found.values()].every((each) => isWhole(each, output.shape));
  if (graph.isElementwise(node) && others.length === 0 && isOfRows) return touched;
  // A sum over all of a table's gradient, which is 0 elsewhere, is no longer of its rows.
  const isTotal = node.op === 'ReduceSum' && output !== undefined && sizeOf(output.shape) === 1;
  if (isTotal && others.length === 0) return undefined;
  throw new UntraceableError(
    `${node.op} of the gradient of a table, which is looked up twice, has a penalty, or is beside ` +
      'BatchNormalization',
  );
}
