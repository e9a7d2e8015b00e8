import { show } from '../parse.ts';
import { type Accepted, accepted, type Refused, refuse } from '../refusal.ts';
import { categoryText, isFloat32, readNumber, withoutSign } from './cells.ts';
import type { Declaration } from './columns.ts';

/**
 * How a label is read. It stands apart from the features because a sample that is only predicted
 * has no label.
 */
export type LabelReader = {
  /** Writes a label at its row of `labels`: the value, 0 or 1, or the index of the class. */
  readonly write: (label: unknown, labels: Float32Array, row: number) => Accepted | Refused;
  /**
   * The label in a dataset's cell. A cell that cannot be read as a label is left unchanged, and
   * refused later.
   */
  readonly readCell: (cell: unknown) => unknown;
};

/** The reader of a spec's labels. */
export function labelReader({ task, label }: Pick<Declaration, 'task' | 'label'>): LabelReader {
  switch (task) {
    case 'regression':
      return number;
    case 'binary':
      return binary;
    case 'multiclass':
      return classReader(label.classes ?? []);
  }
}

const number: LabelReader = {
  write(label, labels, row) {
    if (!isFloat32(label))
      return refuse('not-finite', `must be a finite number (found ${show(label)})`);
    labels[row] = withoutSign(label);
    return accepted;
  },
  readCell: readNumber,
};

const binary: LabelReader = {
  write(label, labels, row) {
    const isTrue = label === true || label === 1;
    if (!isTrue && label !== false && label !== 0) {
      return refuse('wrong-type', `must be true or false (found ${show(label)})`);
    }
    labels[row] = Number(isTrue);
    return accepted;
  },
  readCell(cell) {
    if (typeof cell === 'bigint') return Number(cell);
    if (cell === 'true' || cell === '1') return true;
    return cell === 'false' || cell === '0' ? false : cell;
  },
};

function classReader(classes: readonly string[]): LabelReader {
  const indices = new Map(classes.map((name, index) => [name, index]));
  return {
    write(label, labels, row) {
      const index = indices.get(categoryText(label) ?? '');
      if (index === undefined) {
        return refuse('unknown-class', `unknown class ${show(label)}; allowed: ${show(classes)}`);
      }
      labels[row] = index;
      return accepted;
    },
    readCell: (cell) => (typeof cell === 'bigint' ? Number(cell) : cell),
  };
}
