import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const answerSchema = z.union([
  z.object({ microseconds: z.array(z.number()), auc: z.number().optional() }),
  z.object({ absent: z.string() }).transform(() => undefined),
]);

/** What a peer answers: µs per step (or per sample) of each repetition. */
export type Answer = NonNullable<z.output<typeof answerSchema>>;

/** The peers in Python, in a process of their own that answers one question after the other. */
export type Peers = {
  /** Asks as `peers.py` describes it; undefined for a peer that is absent. */
  readonly ask: (question: Readonly<Record<string, unknown>>) => Promise<Answer | undefined>;
  readonly stop: () => void;
};

/** Starts `peers.py` with one thread. */
export function startPeers(): Peers {
  // Debian keeps its packages with its own Python, which need not be the first on the path.
  const python = spawn(
    '/usr/bin/env',
    ['-S', 'PATH=/usr/bin:/bin', 'python3', fileURLToPath(new URL('./peers.py', import.meta.url))],
    {
      env: {
        ...process.env,
        OMP_NUM_THREADS: '1',
        OPENBLAS_NUM_THREADS: '1',
        MKL_NUM_THREADS: '1',
        PYTHONWARNINGS: 'ignore',
      },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  let isAbsent = false;
  python.on('error', () => {
    isAbsent = true;
  });
  python.stdin.on('error', () => {
    isAbsent = true;
  });
  const answers = createInterface({ input: python.stdout })[Symbol.asyncIterator]();
  return {
    async ask(question) {
      if (isAbsent) return undefined;
      python.stdin.write(`${JSON.stringify(question)}\n`);
      const { value, done } = await answers.next();
      return done ? undefined : answerSchema.parse(JSON.parse(value));
    },
    stop: () => void python.stdin.end(),
  };
}
