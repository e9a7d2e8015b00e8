import { MillraceError } from '../../errors.ts';
import type { EncodedSamples } from '../../features/samples.ts';
import { coefficientNames } from '../../network/coefficients.ts';
import type { EngineState, Run } from '../engine.ts';
import { copyRows, writeCoefficients, writeMasks, writeTargets } from '../run.ts';
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
    copyRows(target, values, rows, width);
    target.fill(0, rows.length * width);
  }
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
