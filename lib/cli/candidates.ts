import { existingSpec } from '../fold/current-model.ts';
import { gridOf } from '../operations/backtest.ts';
import type { Candidate } from '../operations/learn-stream.ts';
import type { Ports } from '../ports/ports.ts';
import type { SpecInput } from '../spec/spec.ts';
import { readSpecFile } from './spec-file.ts';

/** The specs that somebody wants tried: those of files, and a grid over the model's own. */
export async function readCandidates(
  ports: Ports,
  model: string,
  { specs, grid }: { readonly specs: readonly string[]; readonly grid: readonly string[] },
): Promise<readonly Candidate[]> {
  const { stored } = await existingSpec(ports, model);
  const files = await Promise.all(
    specs.map(async (path): Promise<Candidate> => ({ name: path, spec: await readSpecFile(path) })),
  );
  return [...files, ...(grid.length > 0 ? gridOf(stored as SpecInput, grid) : [])];
}
