import { limits } from '../limits.ts';
import { isRecord, listNames, show } from '../parse.ts';
import { type Accepted, accepted, type Refused, refuse } from '../refusal.ts';
import { type Cells, isFloat32, noNumber, readNumber, withoutSign } from './cells.ts';
import { cellsOfSpec, type Declaration } from './columns.ts';
import { hashOfClass } from './hash.ts';
import type { Floats } from './samples.ts';

/** A label that cannot be read; of several outputs, because of which. */
type RefusedLabel = Refused & { readonly output?: string };

/**
 * How a label is read. It stands apart from the features because a sample that is only predicted
 * has no label.
 */
export type LabelReader = {
  /**
   * Writes a label at its row of `labels`: the value, that of each output, 0 or 1, or the index of
   * the class.
   */
  readonly write: (label: unknown, labels: Floats, row: number) => Accepted | RefusedLabel;
  /** Whether a cell is one of the declared classes, whatever words stand for a missing label. */
  readonly knows: (label: unknown) => boolean;
  /** The class of a label that was written, where classes get places as they come. */
  readonly nameOf?: (label: unknown) => string;
  /** The label in a dataset's cell, for models of releases before 0.3. */
  readonly readCell: (cell: unknown) => unknown;
};

/** The reader of a spec's labels. */
export function labelReader(
  declaration: Pick<Declaration, 'task' | 'label' | 'cells' | 'revision'>,
): LabelReader {
  const cells = cellsOfSpec(declaration);
  switch (declaration.task) {
    case 'regression':
      return declaration.label.outputs === undefined
        ? numberReader(cells)
        : numbersReader(cells, declaration.label.outputs);
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
    write: (label, labels, row) => writeNumber(cells, label, labels, row),
    knows: () => false,
    readCell: readNumber,
  };
}

function writeNumber(
  cells: Cells,
  cell: unknown,
  labels: Floats,
  place: number,
): Accepted | Refused {
  const value = cells.number(cell);
  if (!isFloat32(value)) return noNumber(cells, cell);
  labels[place] = withoutSign(value);
  return accepted;
}

/** A reader of labels that are an object: a number for each output, and nothing else. */
function numbersReader(cells: Cells, outputs: readonly string[]): LabelReader {
  const known = new Set(outputs);
  return {
    write(label, labels, row) {
      if (!isRecord(label)) {
        const names = listNames(outputs);
        return refuse('wrong-type', `must be an object of ${names} (found ${show(label)})`);
      }
      const other = Object.keys(label).find((name) => !known.has(name));
      if (other !== undefined) {
        const reason = `unknown output; allowed: ${listNames(outputs)}`;
        return { ...refuse('unknown-field', reason), output: other };
      }
      for (const [at, output] of outputs.entries()) {
        const cell = Object.hasOwn(label, output) ? label[output] : undefined;
        const written = cells.isMissing(cell)
          ? refuse('missing', missingText(cell))
          : writeNumber(cells, cell, labels, row * outputs.length + at);
        if (!written.ok) return { ...written, output };
      }
      return accepted;
    },
    knows: () => false,
    readCell: readNumber,
  };
}

/** Why a field is missing. */
export function missingText(cell: unknown): string {
  return cell === undefined ? 'missing' : `missing (found ${show(cell)})`;
}

function binaryReader(cells: Cells): LabelReader {
  return {
    write(label, labels, row) {
      const isTrue = cells.truth(label);
      if (isTrue === undefined) {
        const isWord = typeof label === 'string' && label.trim() !== '';
        const advice = isWord ? '; a spec says by which words: cells.true, cells.false' : '';
        return refuse('wrong-type', `must be true or false (found ${show(label)})${advice}`);
      }
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
