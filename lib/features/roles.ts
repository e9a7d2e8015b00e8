import type { Role } from './answer-memory.ts';
import { cellsOfSpec, type Declaration, layoutOf } from './columns.ts';
import { decimalCells } from './decimal-comma.ts';
import type { WrittenFeatures } from './features-writer.ts';
import { labelReader } from './label.ts';
import { labelWriter, weightColumn, weightWriter } from './sample-parts.ts';
import type { EncodedSamples } from './samples.ts';

/** What is written into encoded rows, column by column. */
export type Roles = {
  /** Those of features that are sent, in order. */
  readonly features: readonly Role[];
  readonly label: Role;
  readonly weight: Role;
};

/** The roles of a declaration. */
export function rolesOf(declaration: Declaration, features: WrittenFeatures): Roles {
  const cells = cellsOfSpec(declaration);
  const { numberWidth, categoryCount } = layoutOf(declaration);
  const { features: declared, label, task, cells: words } = declaration;
  // What is missing is told by its text.
  const areNumbers =
    words !== undefined &&
    words.numbers === undefined &&
    words.missing.every((word) => cells.number(word) === undefined);
  const decimals = decimalCells(declaration);
  const own = features.sent.map((feature, place): Role => {
    const { name, column, offsets, width, write } = feature;
    return {
      column,
      takesNumbers: areNumbers && declared[name]?.type === 'number',
      readsDecimals: decimals.ofFeature(name),
      isSource: features.isSource[place] ?? false,
      write(cell, into, row) {
        const value = features.valueFor(feature, cell);
        return value !== undefined && write(value, into, row).ok;
      },
      textOf: (cell) => features.textOf(feature, features.valueFor(feature, cell)),
      parts: [
        {
          of: ({ raw }: EncodedSamples) => raw,
          stride: numberWidth,
          offset: offsets.numberOffset,
          width: width.numbers,
        },
        {
          of: (samples: EncodedSamples) => samples.categories,
          stride: categoryCount,
          offset: offsets.categoryOffset,
          width: width.categories,
        },
      ].filter((part) => part.width > 0),
    };
  });
  const writeLabel = labelWriter(declaration);
  const { nameOf } = labelReader(declaration);
  return {
    features: own,
    label: {
      column: label.column ?? label.name,
      takesNumbers: areNumbers && task === 'regression',
      readsDecimals: decimals.ofLabel,
      isSource: nameOf !== undefined,
      write: (cell, into, row) => writeLabel({ label: cell }, into, row).ok,
      textOf: (cell) => nameOf?.(cell),
      parts: [{ of: ({ labels }) => labels, stride: 1, offset: 0, width: 1 }],
    },
    weight: weightRole(declaration),
  };
}

function weightRole(declaration: Declaration): Role {
  const write = weightWriter(declaration);
  return {
    column: weightColumn,
    takesNumbers: false,
    readsDecimals: declaration.cells?.numbers === undefined,
    isSource: false,
    write: (cell, into, row) => write({ weight: cell }, into, row).ok,
    textOf: () => undefined,
    parts: [{ of: ({ weights }) => weights, stride: 1, offset: 0, width: 1 }],
  };
}
