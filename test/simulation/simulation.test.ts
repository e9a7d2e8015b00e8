import { describe, expect, it } from 'vitest';
import { onnxEngine } from '../../lib/engine/onnx/onnx.ts';
import { wasmEngine } from '../../lib/engine/wasm/wasm.ts';
import { faultKinds } from './faults.ts';
import { type Outcome, runSchedule, type ScheduleOptions } from './schedule.ts';
import { shrink } from './shrink.ts';

const seedsFrom = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => first + i);

async function runAll(seeds: readonly number[], options: ScheduleOptions = {}): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  for (const seed of seeds) outcomes.push(await runSchedule(seed, options));
  return outcomes;
}

const kindsOf = (outcomes: readonly Outcome[]) =>
  [...new Set(outcomes.flatMap(({ faults }) => faults.map(({ kind }) => kind)))].sort();

const failuresOf = (outcomes: readonly Outcome[]) =>
  outcomes.flatMap(({ seed, violations }) =>
    violations.length > 0 ? [`seed ${seed}: ${violations.join('; ')}`] : [],
  );

describe('simulated schedules', () => {
  it('keep every promise, whatever goes wrong', async () => {
    const outcomes = await runAll(seedsFrom(1, 500));
    expect(failuresOf(outcomes)).toEqual([]);
    // Every fault was among them, and something was learnt.
    expect(kindsOf(outcomes)).toEqual([...faultKinds].sort());
    expect(outcomes.reduce((sum, { samples }) => sum + samples, 0)).toBeGreaterThan(5_000);
  });

  it.each(['wasm', 'onnx'] as const)('keep them on the engine %s', async (name) => {
    const compiled = new Map<string, Uint8Array>();
    const cache = {
      get: async (name: string) => compiled.get(name),
      put: async (name: string, body: Uint8Array) => void compiled.set(name, body),
    };
    const engine = name === 'wasm' ? wasmEngine({ cache }) : onnxEngine({ threads: 1, cache });
    const outcomes = await runAll(seedsFrom(1, 20), { engine });
    expect(failuresOf(outcomes)).toEqual([]);
  });

  it('are the same each time', async () => {
    const seeds = seedsFrom(10_001, 60);
    const hashes = async () => (await runAll(seeds)).map(({ hash }) => hash);
    const first = await hashes();
    expect(await hashes()).toEqual(first);
    expect(new Set(first).size).toBe(seeds.length);
  });

  it('meet only the faults that are asked for', async () => {
    const outcomes = await runAll(seedsFrom(1, 50), { kinds: new Set(['conflict']) });
    expect(kindsOf(outcomes)).toEqual(['conflict']);
  });

  it('are shrunk to the faults that matter', async () => {
    // A promise that one kind of fault breaks, whatever else strikes.
    const run = async (seed: number, options: ScheduleOptions) => {
      const outcome = await runSchedule(seed, options);
      const isBroken = kindsOf([outcome]).includes('late-write');
      return isBroken ? { ...outcome, violations: ['a write was late'] } : outcome;
    };
    let failing: Outcome | undefined;
    for (let seed = 1; failing === undefined; seed++) {
      const outcome = await run(seed, {});
      if (outcome.violations.length > 0 && outcome.faults.length > 10) failing = outcome;
    }
    const shortest = await shrink(failing, {}, run);
    expect(shortest.faults).toMatchObject([{ kind: 'late-write' }]);
  });
});
