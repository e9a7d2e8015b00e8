import { type ChildProcess, fork } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import type { FromFunction, Invocation } from './function-process.ts';

/** A function as the template describes it. */
export type FunctionSettings = {
  readonly name: string;
  /** The bundled handler. */
  readonly entry: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly memoryMebibytes: number;
  readonly timeoutSeconds: number;
  readonly logFile: string;
};

/** Runs a function's invocations, one at a time, in a process of its own. */
export type FunctionHost = {
  readonly name: string;
  /** @throws Error if the function throws, dies, or runs past its timeout (it is killed then) */
  readonly invoke: (event: unknown) => Promise<unknown>;
  /** Kills the process at once, as a lost machine would; the next invocation starts a new one. */
  readonly kill: () => void;
  readonly stop: () => Promise<void>;
};

type Waiting = { readonly resolve: (result: unknown) => void; readonly reject: (error: Error) => void };

/** Hosts one function. Its process is started with the first invocation, and again after it died. */
export function hostFunction(settings: FunctionSettings): FunctionHost {
  let running: Promise<ChildProcess> | undefined;
  let child: ChildProcess | undefined;
  let nextId = 1;
  const waiting = new Map<number, Waiting>();

  const start = () =>
    new Promise<ChildProcess>((resolve, reject) => {
      const started = fork(new URL('./function-process.ts', import.meta.url), [settings.entry], {
        env: { ...settings.environment },
        execArgv: [
          `--max-old-space-size=${settings.memoryMebibytes}`,
          '--disable-warning=ExperimentalWarning',
        ],
        stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      });
      child = started;
      const log = createWriteStream(settings.logFile, { flags: 'a' });
      started.stdout?.pipe(log);
      started.stderr?.pipe(log);
      started.on('message', (message: FromFunction) => {
        if ('ready' in message) return resolve(started);
        const invocation = waiting.get(message.id);
        waiting.delete(message.id);
        if ('error' in message) invocation?.reject(new Error(message.error));
        else invocation?.resolve(message.result);
      });
      started.on('exit', (code, signal) => {
        const died = new Error(
          `${settings.name} died (${signal ?? `exit ${code}`}); see ${settings.logFile}`,
        );
        running = undefined;
        reject(died);
        for (const [id, invocation] of waiting) {
          waiting.delete(id);
          invocation.reject(died);
        }
      });
    });

  return {
    name: settings.name,
    async invoke(event) {
      running ??= start();
      const process = await running;
      const id = nextId++;
      const outcome = new Promise<unknown>((resolve, reject) => waiting.set(id, { resolve, reject }));
      const milliseconds = settings.timeoutSeconds * 1_000;
      const timer = setTimeout(() => process.kill('SIGKILL'), milliseconds);
      try {
        process.send({ id, event, deadline: Date.now() + milliseconds } satisfies Invocation);
        return await outcome;
      } finally {
        clearTimeout(timer);
      }
    },
    kill: () => void child?.kill('SIGKILL'),
    async stop() {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exited = new Promise((resolve) => child?.once('exit', resolve));
      child.kill('SIGTERM');
      await exited;
    },
  };
}
