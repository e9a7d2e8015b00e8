import { invalid } from '../errors.ts';
import type { Ports } from '../ports/ports.ts';
import type { Progress } from './progress.ts';

/** What a command works with. */
export type Io = {
  readonly ports: Ports;
  /** A line for people. */
  readonly print: (line: string) => void;
  /** What the command came to, for programs: one JSON value with `--json`, else nothing. */
  readonly result: (value: unknown) => void;
  /**
   * Says what a command is about to change, and answers whether it may: nothing is changed before.
   */
  readonly mayChange: (what: string) => Promise<boolean>;
  /** Progress on a terminal; absent where the output is not one. */
  readonly progress?: Progress;
};

/** What decides whether a command may change something. */
export type Consent = {
  readonly isDryRun: boolean;
  readonly isSure: boolean;
  /** Asks a person; absent where there is none to ask. */
  readonly ask?: ((question: string) => Promise<string>) | undefined;
};

/**
 * The `mayChange` of an {@link Io}: no for a dry run, yes with `--yes`, else what the person says.
 *
 * @throws MillraceError kind `invalid` if there is nobody to ask
 */
export function consentOf(print: Io['print'], { isDryRun, isSure, ask }: Consent): Io['mayChange'] {
  return async (what) => {
    print(what);
    if (isDryRun) {
      print('nothing is changed: this is a dry run');
      return false;
    }
    if (isSure) return true;
    if (ask === undefined) {
      throw invalid('nothing is changed: say --yes to do it without being asked');
    }
    if (/^(y|yes)$/i.test((await ask('Do it? [y/N] ')).trim())) return true;
    print('nothing is changed');
    return false;
  };
}

/** A count with its noun: `1 message`, `1,234 messages`. */
export const count = (value: number, noun: string, plural = `${noun}s`) =>
  `${value.toLocaleString('en')} ${value === 1 ? noun : plural}`;
