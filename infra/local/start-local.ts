import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Ports } from '../../lib/ports/ports.ts';
import { localAssembly } from './assembly.ts';
import { startLocalCloud } from './cloud.ts';
import { localPorts } from './ports.ts';

/** How a local stack is to run. */
export type LocalStackSettings = {
  /** Where it keeps its data between runs; a folder that goes with it unless given. */
  readonly directory?: string;
  /** Told what its functions warn of, fail with and throw. */
  readonly onProblem?: (problem: string) => void;
  /** Told what they did, a line each. */
  readonly onDone?: (done: string) => void;
};

/** A stack that runs on this machine. */
export type LocalStack = {
  /** What `connect()` answers for it. */
  readonly ports: Ports;
  /** What a program of its own needs in its environment to reach it, as a deployed one. */
  readonly environment: Readonly<Record<string, string>>;
  /** Lets what is under way finish, then stops everything. */
  readonly stop: () => Promise<void>;
};

/**
 * Starts the whole stack on this machine, for a test or a try: S3 and SQS emulated on loopback, the
 * functions in processes of their own.
 *
 * @throws MillraceError kind `invalid` if the directory is in use
 * @example const stack = await startLocal(); await createModel(stack.ports, demand);
 */
export async function startLocal({
  directory,
  ...told
}: LocalStackSettings = {}): Promise<LocalStack> {
  const folder = directory ?? (await mkdtemp(join(tmpdir(), 'millrace-')));
  const cloud = await startLocalCloud(await localAssembly(), folder, told);
  return {
    ports: localPorts(cloud),
    environment: cloud.environment,
    async stop() {
      await cloud.stop();
      if (directory === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}
