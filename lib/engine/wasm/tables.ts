import type { FunctionBuilder } from '../../wasm/assembler.ts';
import { elementBytes } from '../../wasm/instructions.ts';
import type { Local } from '../../wasm/integer-code.ts';
import { acrossAll, firstLanes } from './lanes.ts';
import { type Compute, copyElements, forEach, type Operand, stridesOf } from './loops.ts';

/** Rows of a table, [entries, …row], in one piece. */
export type Rows = {
  /** Rows of the table, and elements of one. */
  readonly rows: number;
  readonly width: number;
  /** How many indices there are, and where they lie, one after another. */
  readonly entries: number;
  readonly indices: number;
};

/** What is done for each index. */
type Visit = {
  /** For an index of the table; `offset` are the bytes before its row. */
  readonly inside: (row: Local, offset: Local) => void;
  /** For one beyond it, which names a row of zeros, as in tfjs. */
  readonly outside?: () => void;
  /** After either. */
  readonly always: () => void;
};

/** Emits a loop over indices. */
function forEachIndex(
  f: FunctionBuilder,
  { rows, width, entries, indices }: Rows,
  { inside, outside, always }: Visit,
): void {
  const [at, row, offset, last, isInside] = [
    f.local('i32'),
    f.local('i32'),
    f.local('i32'),
    f.local('i32'),
    f.local('i32'),
  ];
  f.setInteger(at, 0);
  f.setInteger(last, rows);
  f.repeat(entries, () => {
    f.loadInteger(row, at, indices);
    f.assign(isInside, 'i32.lt_u', row, last);
    f.when(
      isInside,
      () => {
        f.multiply(offset, row, width * elementBytes);
        inside(row, offset);
      },
      outside,
    );
    always();
    f.add(at, elementBytes);
  });
}

/** Copies the rows of a table that indices name, one after another. */
export function emitGather(
  f: FunctionBuilder,
  { from, to, ...rows }: Rows & { readonly from: number; readonly to: number },
): void {
  const target = f.local('i32');
  f.setInteger(target, 0);
  const strides = [elementBytes];
  const place = { address: to, strides, origin: target };
  const shape = [rows.width];
  forEachIndex(f, rows, {
    inside(_, offset) {
      copyElements(f, shape, { from: { address: from, strides, origin: offset }, to: place });
    },
    outside: () => forEach(f, { shape, inputs: [], outputs: [place] }, () => [f.constant(0)]),
    always: () => f.add(target, rows.width * elementBytes),
  });
}

/** Adds rows to those of a table that indices name, in their order. */
export function emitScatterAdd(
  f: FunctionBuilder,
  { from, to, ...rows }: Rows & { readonly from: number; readonly to: number },
): void {
  const source = f.local('i32');
  f.setInteger(source, 0);
  forEachIndex(f, rows, {
    inside: (_, offset) =>
      addRow(f, rows.width, { address: to, origin: offset }, { address: from, origin: source }),
    always: () => f.add(source, rows.width * elementBytes),
  });
}

type Row = { readonly address: number; readonly origin: Local };

function addRow(f: FunctionBuilder, width: number, to: Row, from: Row): void {
  const strides = [elementBytes];
  const [sum, term] = [
    { ...to, strides },
    { ...from, strides },
  ];
  forEach(f, { shape: [width], inputs: [sum, term], outputs: [sum] }, ([a = 0, b = 0]) => [
    f.vector('f32x4.add', a, b),
  ]);
}

/**
 * The rows of a table that a minibatch touches: each once, in the order of its first entry, with
 * the sum of what its entries bring.
 */
export type Touched = Rows & {
  /** How many there are, and where they begin in the table, in bytes. */
  readonly count: number;
  readonly list: number;
  /** For each row of the table, in which step it was touched last, and its place then. */
  readonly stamps: number;
  readonly places: number;
  /** The number of the step, which goes up. */
  readonly stamp: number;
  /** The shares of the samples; entries of a sample without one touch nothing. */
  readonly shares: number;
  readonly entriesOfSample: number;
};

/** Adds up the rows of all entries by the row of the table that they belong to. */
export function emitTouch(
  f: FunctionBuilder,
  touched: Touched,
  { from, to }: { readonly from: number; readonly to: number },
): void {
  const { width, entriesOfSample } = touched;
  const [stamp, count, source, entry, share, seen] = [
    f.local('i32'),
    f.local('i32'),
    f.local('i32'),
    f.local('i32'),
    f.local('i32'),
    f.local('i32'),
  ];
  const [isNew, at, place, end] = [f.local('i32'), f.local('i32'), f.local('i32'), f.local('i32')];
  const shareAt = f.local('i32');
  f.loadInteger(stamp, undefined, touched.stamp);
  f.add(stamp, 1);
  f.storeInteger(undefined, touched.stamp, stamp);
  for (const local of [count, source, entry, end, shareAt]) f.setInteger(local, 0);
  const strides = [elementBytes];
  forEachIndex(f, touched, {
    inside(row, offset) {
      f.loadInteger(share, shareAt, touched.shares);
      f.when(share, () => {
        f.multiply(at, row, elementBytes);
        f.loadInteger(seen, at, touched.stamps);
        f.assign(isNew, 'i32.ne', seen, stamp);
        f.when(
          isNew,
          () => {
            f.storeInteger(at, touched.stamps, stamp);
            f.storeInteger(at, touched.places, end);
            f.multiply(place, count, elementBytes);
            f.storeInteger(place, touched.list, offset);
            copyElements(f, [width], {
              from: { address: from, strides, origin: source },
              to: { address: to, strides, origin: end },
            });
            f.add(count, 1);
            f.add(end, width * elementBytes);
          },
          () => {
            f.loadInteger(place, at, touched.places);
            addRow(f, width, { address: to, origin: place }, { address: from, origin: source });
          },
        );
      });
    },
    always() {
      f.add(source, width * elementBytes);
      f.add(entry, 1);
      advanceShare(f, { entry, shareAt, entriesOfSample });
    },
  });
  f.storeInteger(undefined, touched.count, count);
}

/** Goes on to the next sample's share after the entries of one. */
function advanceShare(
  f: FunctionBuilder,
  {
    entry,
    shareAt,
    entriesOfSample,
  }: { readonly entry: Local; readonly shareAt: Local; readonly entriesOfSample: number },
): void {
  if (entriesOfSample === 1) {
    f.add(shareAt, elementBytes);
    return;
  }
  const [whole, isInside] = [f.local('i32'), f.local('i32')];
  f.setInteger(whole, entriesOfSample);
  f.assign(isInside, 'i32.ne', entry, whole);
  f.when(
    isInside,
    () => undefined,
    () => {
      f.setInteger(entry, 0);
      f.add(shareAt, elementBytes);
    },
  );
}

/** An operand of a loop over touched rows: by the table's place, or by the order of touching. */
export type RowOperand = {
  readonly address: number;
  readonly kind: 'table' | 'touched' | 'broadcast';
  /** Bytes along the dimensions of one row; 0 where it is broadcast. */
  readonly strides: readonly number[];
};

/** A loop over the touched rows of a table, element by element. */
export function forEachTouched(
  f: FunctionBuilder,
  touched: Touched,
  {
    row,
    inputs,
    outputs,
  }: {
    readonly row: readonly number[];
    readonly inputs: readonly RowOperand[];
    readonly outputs: readonly RowOperand[];
  },
  compute: Compute,
): void {
  const [left, listAt, offset, place] = [
    f.local('i32'),
    f.local('i32'),
    f.local('i32'),
    f.local('i32'),
  ];
  const operand = ({ address, kind, strides }: RowOperand): Operand => ({
    address,
    strides,
    origin: kind === 'table' ? offset : kind === 'touched' ? place : undefined,
  });
  f.loadInteger(left, undefined, touched.count);
  f.setInteger(listAt, 0);
  f.setInteger(place, 0);
  f.repeatWhile(left, () => {
    f.loadInteger(offset, listAt, touched.list);
    forEach(f, { shape: row, inputs: inputs.map(operand), outputs: outputs.map(operand) }, compute);
    f.add(listAt, elementBytes);
    f.add(place, touched.width * elementBytes);
  });
}

/** The sum of all elements of touched rows. */
export function emitTouchedTotal(
  f: FunctionBuilder,
  touched: Touched,
  { from, to }: { readonly from: number; readonly to: number },
): void {
  const total = f.local('v128');
  const zero = f.constant(0);
  f.assign(total, 'v128.or', zero, zero);
  const row = [touched.width];
  const inputs = [{ address: from, kind: 'touched' as const, strides: stridesOf(row) }];
  forEachTouched(f, touched, { row, inputs, outputs: [] }, ([value = 0], count) => {
    const mask = firstLanes(f, count);
    f.assign(total, 'f32x4.add', total, f.vector('v128.and', value, mask));
    return [];
  });
  f.store(undefined, to, acrossAll(f, total, 'f32x4.add'), 1);
}
