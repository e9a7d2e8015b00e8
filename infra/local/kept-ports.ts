import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { jsonIfAny } from '../../lib/parse.ts';

/** Where a stack answers on this machine: S3 and SQS, and what stands for Lambda. */
export type KeptPorts = { readonly storage: number; readonly functions: number };

const portSchema = z.int().positive().max(0xffff);
const portsSchema = z.strictObject({ storage: portSchema, functions: portSchema });

/** Stands for a port that nobody has. */
const anyPort = 0;

/** The ports that a stack had the last time; any unless it was there before. */
export function portsBefore(dataDirectory: string): KeptPorts {
  const file = fileOf(dataDirectory);
  const kept = existsSync(file) ? jsonIfAny(readFileSync(file, 'utf8')) : undefined;
  return portsSchema.safeParse(kept).data ?? { storage: anyPort, functions: anyPort };
}

/** Keeps the ports of a stack for {@link portsBefore}: its addresses outlast its starts. */
export function keepPorts(dataDirectory: string, ports: KeptPorts): void {
  writeFileSync(fileOf(dataDirectory), `${JSON.stringify(ports)}\n`);
}

/** Listens on a port, or on any where somebody else has that one now. */
export async function listenLikeBefore(
  listen: (port: number) => Promise<unknown>,
  port: number,
): Promise<void> {
  try {
    await listen(port);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    await listen(anyPort);
  }
}

function fileOf(dataDirectory: string): string {
  return join(dataDirectory, 'ports.json');
}
