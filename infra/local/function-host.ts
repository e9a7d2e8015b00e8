import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import * as z from 'zod';
import { lineOf } from '../../lib/cli/done.ts';
import { jsonIfAny } from '../../lib/parse.ts';
import type { FromFunction, Invocation } from './function-process.ts';

/** A function as the template describes it. */
export type FunctionSettings = {
  readonly name: string;
  /** What runs in its process: `functionProgram` of `programs.ts`. */
  readonly program: string;
  /** The bundled handler. */
  readonly entry: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly memoryMebibytes: number;
  readonly timeoutSeconds: number;
  readonly logFile: string;
  /** Told what the function logs as a warning or an error, and what it throws. */
  readonly onProblem: (problem: string) => void;
  /** Told what the function did, in a line. */
  readonly onDone: (done: string) => void;
};

/** Runs a function's invocations, one at a time, in a process of its own. */
export type FunctionHost = {
  readonly name: string;
  /** @throws Error if the function throws, dies, or runs past its timeout (it is killed then) */
  readonly invoke: (event: unknown) => Promise<unknown>;
  /** Whether there is a process: none before the first invocation, nor after it died. */
  readonly isRunning: () => boolean;
  /** Kills the process at once, as a lost machine would; the next invocation starts a new one. */
  readonly kill: () => void;
  /**
   * Freezes the process, as Lambda does with one that ran out of time: its invocation fails, and
   * the next one starts a new process. The answer lets the frozen one go on, as a zombie, until the
   * host is stopped.
   */
  readonly freeze: () => () => void;
  readonly stop: () => Promise<void>;
};

/**
 * Hosts one function. Its process is started with the first invocation, and again after it died.
 */
export function hostFunction(settings: FunctionSettings): FunctionHost {
  let child: ChildProcess | undefined;
  let invocations = 0;
  const zombies: ChildProcess[] = [];
  return {
    name: settings.name,
    async invoke(event) {
      if (child === undefined || hasExited(child)) {
        child = startProcess(settings);
        await readyInTime(settings, child);
      }
      const milliseconds = settings.timeoutSeconds * 1_000;
      const invocation = { id: ++invocations, event, deadline: Date.now() + milliseconds };
      const running = child;
      const timer = setTimeout(() => {
        settings.onProblem(`${settings.name}: ran for ${settings.timeoutSeconds} s, and is killed`);
        running.kill('SIGKILL');
      }, milliseconds);
      try {
        return await outcomeOf(settings, running, invocation);
      } finally {
        clearTimeout(timer);
      }
    },
    isRunning: () => child !== undefined && !hasExited(child),
    kill: () => void child?.kill('SIGKILL'),
    freeze() {
      const frozen = child;
      if (frozen === undefined || hasExited(frozen)) return () => undefined;
      frozen.kill('SIGSTOP');
      zombies.push(frozen);
      child = undefined;
      frozen.emit(frozenEvent);
      return () => void frozen.kill('SIGCONT');
    },
    async stop() {
      for (const zombie of zombies) zombie.kill('SIGKILL');
      if (child === undefined || hasExited(child)) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      await exited;
    },
  };
}

/** Emitted by a process of ours once it is frozen; it can emit nothing itself then. */
const frozenEvent = 'frozen';

function startProcess({
  program,
  entry,
  environment,
  memoryMebibytes,
  logFile,
  name,
  onProblem,
  onDone,
}: FunctionSettings): ChildProcess {
  const child = fork(program, [entry], {
    env: { ...environment },
    execArgv: [`--max-old-space-size=${memoryMebibytes}`, '--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    // Bodies go over as they are, where JSON would escape each of their quotes.
    serialization: 'advanced',
  });
  const log = createWriteStream(logFile, { flags: 'a' });
  child.stdout?.pipe(log);
  child.stderr?.pipe(log);
  if (child.stdout !== null) watch(child.stdout, { name, onProblem, onDone });
  if (child.stderr !== null) watch(child.stderr, { name, onProblem, onDone });
  // Sending to a process that has just died is an error event; its exit tells the one who waits.
  child.on('error', () => undefined);
  limitMemory(child, name, memoryMebibytes, onProblem);
  return child;
}

/** How often a process is asked for its memory. */
const memoryMilliseconds = 100;

/** Kills a process that takes more memory than its function has, as Lambda does. (Linux only.) */
function limitMemory(
  child: ChildProcess,
  name: string,
  mebibytes: number,
  onProblem: FunctionSettings['onProblem'],
): void {
  const timer = setInterval(() => {
    if (hasExited(child)) return clearInterval(timer);
    const used = residentMebibytes(child.pid);
    if (used <= mebibytes) return undefined;
    onProblem(`${name}: took ${Math.round(used)} MiB of the ${mebibytes} it has, and is killed`);
    clearInterval(timer);
    return child.kill('SIGKILL');
  }, memoryMilliseconds);
  timer.unref();
}

function residentMebibytes(pid: number | undefined): number {
  try {
    const [, kibibytes] =
      /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return Number(kibibytes ?? 0) / 1_024;
  } catch {
    return 0;
  }
}

const problemSchema = z.looseObject({ level: z.enum(['WARN', 'ERROR']), message: z.string() });

/** Passes on what is logged: a warning or an error in one line, and what was done. */
function watch(
  stream: Readable,
  { name, onProblem, onDone }: Pick<FunctionSettings, 'name' | 'onProblem' | 'onDone'>,
): void {
  createInterface({ input: stream }).on('line', (line) => {
    const logged = jsonIfAny(line);
    const done = lineOf(logged);
    if (done !== undefined) onDone(done);
    const problem = problemSchema.safeParse(logged).data;
    if (problem === undefined) return;
    const { message, model, job, reason, error } = problem;
    const cause = reason ?? (error as { message?: unknown } | undefined)?.message ?? error;
    const about = [model, job].filter((each) => each !== undefined).join('/');
    const parts = [about, message, cause].filter((part) => part !== undefined && part !== '');
    onProblem(`${name}: ${parts.map(String).join(': ').slice(0, 500)}`);
  });
}

function hasExited({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

/** How long a process may take until it is ready: many times what one needs. */
const startMilliseconds = 120_000;

async function readyInTime(settings: FunctionSettings, child: ChildProcess): Promise<void> {
  const timer = setTimeout(() => {
    settings.onProblem(`${settings.name}: did not start, and is killed`);
    child.kill('SIGKILL');
  }, startMilliseconds);
  try {
    await answerOf(settings, child, (message) => 'ready' in message);
  } finally {
    clearTimeout(timer);
  }
}

async function outcomeOf(settings: FunctionSettings, child: ChildProcess, invocation: Invocation) {
  const answer = answerOf(
    settings,
    child,
    (message) => 'id' in message && message.id === invocation.id,
  );
  child.send(invocation);
  const message = await answer;
  if ('error' in message) throw new Error(message.error);
  return 'result' in message ? message.result : undefined;
}

/** The process' next message that is the answer, or the error that it died before giving one. */
function answerOf(
  { name, logFile, onProblem }: FunctionSettings,
  child: ChildProcess,
  isAnswer: (message: FromFunction) => boolean,
): Promise<FromFunction> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: FromFunction) => {
      if (!isAnswer(message)) return;
      stopListening();
      resolve(message);
    };
    const onExit = () => {
      stopListening();
      const died = `died (${child.signalCode ?? `exit ${child.exitCode}`}); see ${logFile}`;
      onProblem(`${name}: ${died}`);
      reject(new Error(`${name} ${died}`));
    };
    const onFrozen = () => {
      stopListening();
      reject(new Error(`${name} was frozen`));
    };
    const stopListening = () =>
      child.off('message', onMessage).off('exit', onExit).off(frozenEvent, onFrozen);
    child.on('message', onMessage).on('exit', onExit).on(frozenEvent, onFrozen);
    if (hasExited(child)) onExit();
  });
}
