import type { FunctionBuilder } from '../../wasm/assembler.ts';
import { elementBytes } from '../../wasm/instructions.ts';
import type { Node } from '../trace/graph.ts';
import { sizeOf } from '../trace/graph.ts';
import { UntraceableError } from '../trace/untraceable.ts';
import { copyElements, stridesOf } from './loops.ts';
import { integersOf } from './moves.ts';
import { type Plan, touchedRows } from './plan.ts';
import { emitProduct, type Matrix } from './products.ts';
import { emitReduction, reducers } from './reductions.ts';
import { broadcastStrides } from './references.ts';
import { emitGather, emitScatterAdd, emitTouch, emitTouchedTotal, type Touched } from './tables.ts';
import { emitEinsum, emitFold, emitMaxPoolGrad, emitPad, type Placed } from './windows.ts';

/** Emits an operator that is a kernel of its own. */
export function emitOperator(f: FunctionBuilder, node: Node | undefined, plan: Plan): void {
  const emit = operators[node?.op ?? ''];
  if (node === undefined || emit === undefined)
    throw new UntraceableError(`the operator ${node?.op} has no kernel`);
  emit(f, node, plan);
}

/** The address of a value, which lies in one piece. */
function addressOf(name: string | undefined, plan: Plan): number {
  const { base, offset } = plan.of(name ?? '');
  const address = plan.addressOf(base);
  if (address === undefined) throw new UntraceableError(`a value ${base} lies nowhere`);
  return address + offset;
}

/** An operand, wherever its elements lie. */
function placedAt(name: string | undefined, plan: Plan): Placed {
  const { shape, strides } = plan.of(name ?? '');
  return { address: addressOf(name, plan), shape, strides };
}

type Operator = (f: FunctionBuilder, node: Node, plan: Plan) => void;

const operators: Readonly<Record<string, Operator>> = {
  Gemm(f, node, plan) {
    const [a = '', b = '', d = ''] = node.inputs;
    const [output] = node.outputs;
    const [m = 1, n = 1] = output?.shape ?? [];
    const { transA = 0, transB = 0 } = node.attributes;
    const [rows = 1, columns = 1] = plan.of(a).shape;
    const k = transA === 1 ? rows : columns;
    emitProduct(f, {
      m,
      n,
      k,
      a: matrixOf(a, transA === 1, plan),
      b: matrixOf(b, transB === 1, plan),
      c: {
        address: addressOf(output?.name, plan),
        rowStride: n * elementBytes,
        columnStride: elementBytes,
      },
      d: d === '' ? undefined : addendOf(d, [m, n], plan),
    });
  },
  Gather(f, node, plan) {
    const [table = '', indices = ''] = node.inputs;
    if (Number(node.attributes.axis ?? 0) !== 0) throw new UntraceableError('Gather along an axis');
    emitGather(f, {
      ...rowsOf(table, indices, plan),
      from: addressOf(table, plan),
      to: addressOf(node.outputs[0]?.name, plan),
    });
  },
  ScatterND(f, node, plan) {
    const [data = '', indices = '', updates = ''] = node.inputs;
    const [output] = node.outputs;
    if (output === undefined) return;
    const rows = rowsOf(output.name, indices, plan);
    const [from, to] = [addressOf(updates, plan), addressOf(output.name, plan)];
    if (plan.schedule.touchedBy.get(output.name) === output.name) {
      const touched = touchRows(output.name, rows, plan);
      emitTouch(f, touched, { from, to });
      return;
    }
    const source = addressOf(data, plan);
    const strides = stridesOf(output.shape);
    if (source !== to) {
      const places = { from: { address: source, strides }, to: { address: to, strides } };
      copyElements(f, output.shape, places);
    }
    emitScatterAdd(f, { ...rows, from, to });
  },
  Concat(f, node, plan) {
    const [output] = node.outputs;
    const shape = output?.shape ?? [];
    const axis = Number(node.attributes.axis ?? 0);
    const strides = stridesOf(shape);
    let to = addressOf(output?.name, plan);
    for (const name of node.inputs) {
      const part = plan.of(name).shape;
      const from = { address: addressOf(name, plan), strides: stridesOf(part) };
      copyElements(f, part, { from, to: { address: to, strides } });
      to += (part[axis] ?? 0) * (strides[axis] ?? 0);
    }
  },
  Einsum(f, node, plan) {
    const [a, b] = node.inputs.map((name) => placedAt(name, plan)) as [Placed, Placed];
    emitEinsum(f, node, { a, b, to: addressOf(node.outputs[0]?.name, plan) });
  },
  Fold(f, node, plan) {
    const [a, b] = node.inputs.map((name) => placedAt(name, plan)) as [Placed, Placed];
    emitFold(f, node, { a, b, to: addressOf(node.outputs[0]?.name, plan) });
  },
  Pad(f, node, plan) {
    const [x, pads, value] = node.inputs;
    const [output] = node.outputs;
    emitPad(f, {
      x: placedAt(x, plan),
      to: addressOf(output?.name, plan),
      shape: output?.shape ?? [],
      before: integersOf(plan.graph, pads),
      value: plan.graph.constants.get(value ?? '')?.data[0] ?? 0,
    });
  },
  MaxPoolGrad(f, node, plan) {
    const [x, largest, dy] = node.inputs.map((name) => placedAt(name, plan));
    if (x === undefined || largest === undefined || dy === undefined) return;
    emitMaxPoolGrad(f, node, { x, largest, dy, to: addressOf(node.outputs[0]?.name, plan) });
  },
  ...Object.fromEntries(
    Object.entries(reducers).map(([op, reducer]): [string, Operator] => [
      op,
      (f, node, plan) => {
        const [x = '', axes = ''] = node.inputs;
        const { base, shape, strides } = plan.of(x);
        const touching = plan.schedule.touchedBy.get(base);
        if (touching !== undefined) {
          emitTouchedTotal(f, touchedRows(touching, plan), {
            from: addressOf(x, plan),
            to: addressOf(node.outputs[0]?.name, plan),
          });
          return;
        }
        const data = plan.graph.constants.get(axes)?.data;
        emitReduction(f, {
          reducer,
          shape,
          strides,
          axes: data === undefined || data.length === 0 ? shape.map((_, i) => i) : [...data],
          from: addressOf(x, plan),
          to: addressOf(node.outputs[0]?.name, plan),
        });
      },
    ]),
  ),
};

function matrixOf(name: string, isTransposed: boolean, plan: Plan): Matrix {
  const { shape } = plan.of(name);
  const [rowStride = elementBytes, columnStride = elementBytes] = stridesOf(shape);
  const address = addressOf(name, plan);
  return isTransposed
    ? { address, rowStride: columnStride, columnStride: rowStride }
    : { address, rowStride, columnStride };
}

/** The addend of a product, broadcast to its shape. */
function addendOf(name: string, domain: readonly number[], plan: Plan): Matrix {
  const { shape } = plan.of(name);
  const strides = broadcastStrides({ shape, strides: stridesOf(shape) }, domain);
  const [rowStride = 0, columnStride = 0] = strides;
  return { address: addressOf(name, plan), rowStride, columnStride };
}

function rowsOf(table: string, indices: string, plan: Plan) {
  const [rows = 1, ...row] = plan.of(table).shape;
  const reference = plan.of(indices);
  return {
    rows,
    width: sizeOf(row),
    entries: sizeOf(reference.shape),
    indices: addressOf(indices, plan),
  };
}

function touchRows(touching: string, rows: ReturnType<typeof rowsOf>, plan: Plan): Touched {
  const { memory, rows: known, shares, minibatch } = plan;
  if (shares === undefined || rows.entries % minibatch !== 0)
    throw new UntraceableError('rows that belong to no sample');
  const touched: Touched = {
    ...rows,
    count: memory.allocate(elementBytes),
    list: memory.allocate(rows.entries * elementBytes),
    stamps: memory.allocate(rows.rows * elementBytes),
    places: memory.allocate(rows.rows * elementBytes),
    stamp: memory.allocate(elementBytes),
    shares,
    entriesOfSample: rows.entries / minibatch,
  };
  known.set(touching, touched);
  return touched;
}
