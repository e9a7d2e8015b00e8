import { limits } from '../limits.ts';
import { show } from '../parse.ts';
import { type Accepted, accepted, type Refused, refuse } from '../refusal.ts';
import { type Cells, isFloat32, readNumber, withoutSign } from './cells.ts';
import { cellsOfSpec, type Declaration } from './columns.ts';
import { hashOfClass } from './hash.ts';
import type { Floats } from './samples.ts';

/**
 * How a label is read. It stands apart from the features because a sample that is only predicted
 * has no label.
 */
export type LabelReader = {
  /** Writes a label at its row of `labels`: the value, 0 or 1, or the index of the class. */
  readonly write: (label: unknown, labels: Floats, row: number) => Accepted | Refused;
  /** Whether a cell is one of the declared classes, whatever words stand for a missing label. */
  readonly knows: (label: unknown) => boolean;
  /** The class of a label that was written, where classes get places as they come. */
  readonly nameOf?: (label: unknown) => string;
  /** The label in a dataset's cell, for models of releases before 0.3. */
  readonly readCell: (cell: unknown) => unknown;
};

/** The reader of a spec's labels. */
export function labelReader(
  declaration: Pick<Declaration, 'task' | 'label' | 'cells'>,
): LabelReader {
  const cells = cellsOfSpec(declaration);
  switch (declaration.task) {
    case 'regression':
      return numberReader(cells);
    case 'binary':
      return binaryReader(cells);
    case 'multiclass':
      return declaration.label.maxClasses === undefined
        ? classReader(cells, declaration.label.classes ?? [])
        : anyClassReader(cells, declaration.label.classes ?? []);
  }
}

function numberReader(cells: Cells): LabelReader {
  return {
    write(label, labels, row) {
      const value = cells.number(label);
      if (!isFloat32(value))
        return refuse('not-finite', `must be a finite number (found ${show(label)})`);
      labels[row] = withoutSign(value);
      return accepted;
    },
    knows: () => false,
    readCell: readNumber,
  };
}

function binaryReader(cells: Cells): LabelReader {
  return {
    write(label, labels, row) {
      const isTrue = cells.truth(label);
      if (isTrue === undefined)
        return refuse('wrong-type', `must be true or false (found ${show(label)})`);
      labels[row] = Number(isTrue);
      return accepted;
    },
    knows: () => false,
    readCell(cell) {
      if (typeof cell === 'bigint') return Number(cell);
      if (cell === 'true' || cell === '1') return true;
      return cell === 'false' || cell === '0' ? false : cell;
    },
  };
}

/** A reader of classes that nobody declared: their names, as hashes. */
function anyClassReader(cells: Cells, classes: readonly string[]): LabelReader {
  const declared = new Set(classes.map((name) => cells.text(name) ?? name));
  const nameOf = (label: unknown) => cells.text(label) ?? '';
  return {
    write(label, labels, row) {
      const name = nameOf(label);
      if (name === '' || name.length > limits.categoryCharacters) {
        const most = limits.categoryCharacters;
        return refuse(
          'wrong-type',
          `must be a text of 1 to ${most} characters (found ${show(label)})`,
        );
      }
      labels[row] = hashOfClass(name);
      return accepted;
    },
    knows: (label) => declared.has(nameOf(label)),
    nameOf,
    readCell: (cell) => (typeof cell === 'bigint' ? Number(cell) : cell),
  };
}

function classReader(cells: Cells, classes: readonly string[]): LabelReader {
  const indices = new Map(classes.map((name, index) => [cells.text(name) ?? name, index]));
  return {
    write(label, labels, row) {
      const index = indices.get(cells.text(label) ?? '');
      if (index === undefined) {
        return refuse('unknown-class', `unknown class ${show(label)}; allowed: ${show(classes)}`);
      }
      labels[row] = index;
      return accepted;
    },
    knows: (label) => indices.has(cells.text(label) ?? ''),
    readCell: (cell) => (typeof cell === 'bigint' ? Number(cell) : cell),
  };
}
