import type { Spec } from '../spec/spec.ts';
import type { Row } from './rows.ts';

/**
 * A row as a sample: the columns named like the features and the label, and `weight` where there is such a
 * column; other columns are passed over. A row that has `features` is a sample already. Texts of CSV become
 * what the spec declares; what cannot is left as it is, and refused by the encoder with its reason.
 */
export function rowToSample(spec: Spec): (row: Row) => unknown {
  const features = Object.entries(spec.features);
  return (row) => {
    if (typeof row.features === 'object' && row.features !== null) return row;
    return {
      features: Object.fromEntries(
        features.flatMap(([name, feature]) =>
          row[name] === undefined || row[name] === null ? [] : [[name, cellValue(row[name], feature.type)]],
        ),
      ),
      label: labelOf(row[spec.label.name], spec.task),
      ...(row.weight === undefined || Object.hasOwn(spec.features, 'weight')
        ? {}
        : { weight: cellValue(row.weight, 'number') }),
    };
  };
}

function cellValue(value: unknown, type: 'number' | 'vector' | 'category'): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (type === 'number' && typeof value === 'string' && value.trim() !== '') return Number(value);
  if (type === 'vector' && typeof value === 'string') return parseList(value);
  return type === 'vector' && ArrayBuffer.isView(value) ? Array.from(value as Float32Array) : value;
}

function labelOf(value: unknown, task: Spec['task']): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'string' || task === 'multiclass') return value;
  if (task === 'regression') return value.trim() === '' ? value : Number(value);
  if (value === 'true' || value === '1') return true;
  return value === 'false' || value === '0' ? false : value;
}

function parseList(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
