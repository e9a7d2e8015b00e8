import { setTimeout as delay } from 'node:timers/promises';
import type { Patience } from '../operations/await-command.ts';
import type { Called } from './program.ts';

/** How long a command is waited for, unless its caller does not want to. */
export function patienceOf({ wait }: Called['options']): Patience | undefined {
  return wait === false ? undefined : { seconds: 60, wait: (milliseconds) => delay(milliseconds) };
}
