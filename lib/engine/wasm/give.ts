import { MillraceError } from '../../errors.ts';
import type { EncodedSamples } from '../../features/samples.ts';
import { coefficientNames } from '../../network/coefficients.ts';
import type { EngineState, Run } from '../engine.ts';
import { writeCoefficients, writeMasks, writeTargets } from '../run.ts';
import { stepNames } from '../trace/step-names.ts';
import { floats, type Machine } from './machine.ts';
import type { CallLayout } from './program.ts';

/** Gives the columns of some rows; the last minibatch is filled up with zeros. */
export function giveSamples(
  machine: Machine,
  { arrays, minibatch }: CallLayout,
  { count, numbers, categories }: EncodedSamples,
  rows: Int32Array,
): void {
  const steps = Math.ceil(rows.length / minibatch);
  const given = [
    [arrays.numbers, numbers],
    [arrays.categories, categories],
  ] as const;
  for (const [place, values] of given) {
    if (place === undefined) continue;
    const { buffer } = machine.instance.memory;
    const target = new Int32Array(buffer, place.address, place.size * steps);
    const width = place.size / minibatch;
    if (count > 0 && values.length !== count * width)
      throw new MillraceError(
        'corrupt',
        `samples have ${values.length / count} columns, not ${width}`,
      );
    copyRows(target, bitsOf(values), rows, width);
    target.fill(0, rows.length * width);
  }
}

function copyRows(target: Int32Array, values: Int32Array, rows: Int32Array, width: number): void {
  const [first = 0] = rows;
  let isInOrder = true;
  for (let i = 1; i < rows.length && isInOrder; i++) isInOrder = rows[i] === first + i;
  if (isInOrder) {
    target.set(values.subarray(first * width, (first + rows.length) * width));
    return;
  }
  let to = 0;
  for (let i = 0; i < rows.length; i++) {
    const from = (rows[i] ?? 0) * width;
    for (let at = from; at < from + width; at++) target[to++] = values[at] ?? 0;
  }
}

/** Numbers as their bits: JavaScript copies whole numbers without making float64 of them. */
function bitsOf({ buffer, byteOffset, length }: Float32Array | Int32Array): Int32Array {
  return new Int32Array(buffer, byteOffset, length);
}

/** An array of so many steps; one without elements if the program takes none of that name. */
function arrayAt(
  machine: Machine,
  arrays: CallLayout['arrays'],
  name: string,
  steps: number,
): Float32Array {
  const place = arrays[name];
  return place === undefined ? new Float32Array() : floats(machine, place, steps);
}

/** Gives labels and shares. */
export function giveTargets(
  machine: Machine,
  { arrays, minibatch }: CallLayout,
  samples: EncodedSamples,
  rows: Int32Array,
): void {
  const steps = Math.ceil(rows.length / minibatch);
  const arrayOf = (name: string) => arrayAt(machine, arrays, name, steps);
  const targets = { labels: arrayOf(stepNames.labels), shares: arrayOf(stepNames.shares) };
  writeTargets(targets, samples, rows, minibatch);
}

/** Gives the optimizer's coefficients of each step. */
export function giveCoefficients(
  machine: Machine,
  { arrays }: CallLayout,
  run: Run,
  { firstStep, steps }: { readonly firstStep: number; readonly steps: number },
): void {
  const { optimizer } = machine.spec;
  const own: Record<string, Float32Array> = {};
  for (const name of coefficientNames(optimizer)) own[name] = arrayAt(machine, arrays, name, steps);
  writeCoefficients(own, optimizer, run, { firstStep, steps });
}

/** Gives the masks of dropout of each step. */
export function giveMasks(
  machine: Machine,
  { arrays }: CallLayout,
  { seed, step }: Pick<EngineState, 'seed' | 'step'>,
  steps: number,
): void {
  machine.artifact.masks.forEach(({ rate }, index) => {
    const place = arrays[stepNames.mask(index)];
    if (place === undefined) return;
    writeMasks(floats(machine, place, steps), place.size, rate, { seed, step, index });
  });
}
