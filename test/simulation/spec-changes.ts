import { loadFirstSpec } from '../../lib/model/stored-spec.ts';
import { changeSpec } from '../../lib/operations/change-spec.ts';
import type { Process } from './calls.ts';
import type { Cloud } from './cloud.ts';
import { isExpected } from './functions.ts';
import type { Random } from './random.ts';

/** Somebody changes the specs of models, once or several times, in some schedules. */
export function startSpecChanges(
  cloud: Cloud,
  random: Random,
  models: readonly string[],
  stormMilliseconds: number,
): void {
  if (!random.chance(0.08)) return;
  for (let times = random.integer(1, 3); times > 0; times--) {
    const at = random.integer(10_000, Math.ceil(1.3 * stormMilliseconds));
    cloud.timeline.after(
      at,
      () => void changeSome(cloud, random, models[random.integer(0, models.length - 1)] ?? ''),
    );
  }
}

/** Another minibatch, which the weights in use can go on with, or besides another seed. */
async function changeSome(cloud: Cloud, random: Random, name: string): Promise<void> {
  const operator: Process = { name: 'operator', isDead: false, onDeath: () => undefined };
  const ports = cloud.portsOf(operator);
  const minibatch = random.integer(1, 4);
  const isRelearnt = random.chance(0.6);
  try {
    const first = await loadFirstSpec(ports.store, name);
    if (first === undefined) return;
    const { spec } = first;
    const seed = isRelearnt ? random.integer(2, 5) : spec.seed;
    const online = { ...spec.online, minibatch };
    cloud.timeline.record(`${name} gets minibatch ${minibatch} and seed ${seed}`);
    await changeSpec(ports, name, { ...spec, seed, online });
  } catch (error) {
    // S3 does not answer, or it is the spec that holds: the operator tries another day.
    if (!isExpected(error)) cloud.violations.push(`operator: ${String(error)}`);
  }
}
