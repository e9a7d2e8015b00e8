import { type ChildProcess, fork } from 'node:child_process';
import { MillraceError } from '../../lib/errors.ts';
import type { FromEmulator, ToEmulator } from './emulator.ts';
import { programOf } from './programs.ts';

/** How tests and measurements make S3 slow. */
export type EmulatorControls = {
  /** Puts of keys with this part wait, as if S3 were slow. Resolves once one waits. */
  readonly holdPuts: (part: string) => Promise<void>;
  /** Lets the held puts happen, also those whose sender has died. */
  readonly releasePuts: () => void;
  /** Each request to S3 takes so much longer from now on. */
  readonly delayS3: (milliseconds: number) => void;
};

/** Starts the emulator over a folder, which no other may use. @param wanted its port, if free */
export function startEmulator(
  dataDirectory: string,
  visibilityFactor: number,
  wanted: number,
): Promise<{ emulator: ChildProcess; port: number }> {
  return new Promise((resolveStart, reject) => {
    const emulator = fork(
      programOf('emulator'),
      [dataDirectory, String(visibilityFactor), String(wanted)],
      {
        execArgv: ['--disable-warning=ExperimentalWarning'],
      },
    );
    emulator.once('message', (message: FromEmulator) => {
      if ('port' in message) resolveStart({ emulator, port: message.port });
      if ('isInUse' in message) {
        const reason =
          `${dataDirectory} is in use by another Millrace on this machine (millrace local, npm run ` +
          'local or npm start); stop that one first';
        reject(new MillraceError('invalid', reason));
      }
    });
    emulator.once('exit', (code) => {
      const ended = new Error(`the S3 and SQS emulator ended with status ${code}`);
      reject(ended);
      // Nothing here can go on without it; a clean stop ends with status 0.
      if (code !== 0) throw ended;
    });
  });
}

/** Ends it, by its own clean-up or at once. */
export async function stopEmulator(
  emulator: ChildProcess,
  signal: 'SIGTERM' | 'SIGKILL',
): Promise<void> {
  // (One that was killed has a signal in place of a code, and exits no more.)
  if (emulator.exitCode !== null || emulator.signalCode !== null) return;
  const exited = new Promise((resolveExit) => emulator.once('exit', resolveExit));
  emulator.kill(signal);
  await exited;
}

/** The controls of a running emulator. */
export function controlsOf(emulator: ChildProcess): EmulatorControls {
  const tell = (message: ToEmulator) => emulator.send(message);
  return {
    holdPuts: (hold) =>
      new Promise((resolveHeld) => {
        emulator.once('message', () => resolveHeld());
        tell({ hold });
      }),
    releasePuts: () => tell({ release: true }),
    delayS3: (milliseconds) => tell({ delayMilliseconds: milliseconds }),
  };
}
