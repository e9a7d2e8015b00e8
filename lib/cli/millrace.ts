import { SQSClient } from '@aws-sdk/client-sqs';
import { invalid, MillraceError } from '../errors.ts';
import { addressFromEnvironment, awsPorts } from '../ports/aws.ts';
import { readArguments } from './arguments.ts';
import type { Io } from './io.ts';
import { createProgress } from './progress.ts';
import { showQuarantine } from './quarantine.ts';
import { redrive } from './redrive.ts';
import { retract } from './retract.ts';
import { rollback } from './rollback.ts';
import { verify } from './verify.ts';

const usage = `millrace: looks after the models of a stack

  verify <model> [--all]               fold the journal again, compare it with the published state
  rollback <model> --to <entry|time>   the weights of an earlier entry; nothing is deleted
  retract <model> --message <id>       unlearn samples: fold again without them, then catch up;
    | --samples <file>                 the id is SQS' or <producer>:<seq>, the file is JSON Lines
    | --from <time> --to <time>
  quarantine <model> [--retry]         refused samples with their reasons; send them again
  redrive [--dry-run]                  dead letters back to their queues

The stack is the one of MILLRACE_BUCKET, MILLRACE_SAMPLES_QUEUE_URL and MILLRACE_JOBS_QUEUE_URL.
`;

const commands = ['verify', 'rollback', 'retract', 'quarantine', 'redrive'];

/** Runs one command. The answer is the exit status; 1 means that a verification failed. */
async function main(): Promise<number> {
  const { values, positionals } = readArguments(usage, {
    allowPositionals: true,
    options: {
      all: { type: 'boolean', default: false },
      to: { type: 'string' },
      from: { type: 'string' },
      message: { type: 'string' },
      samples: { type: 'string' },
      retry: { type: 'boolean', default: false },
      'dry-run': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [command, model = ''] = positionals;
  if (values.help || command === undefined) {
    process.stdout.write(usage);
    return values.help ? 0 : 2;
  }
  if (!commands.includes(command)) {
    throw invalid(`millrace has no command ${command}; it has ${commands.join(', ')}`);
  }
  if (command !== 'redrive' && model === '') throw invalid(`millrace ${command}: name the model`);
  const address = addressFromEnvironment(process.env);
  const io: Io = {
    ports: awsPorts(address, { ...console, info: () => undefined }),
    print: (line) => void process.stdout.write(`${line}\n`),
    ...(process.stderr.isTTY ? { progress: createProgress(process.stderr, Date.now) } : {}),
  };
  switch (command) {
    case 'verify':
      return verify(io, model, values.all);
    case 'rollback':
      return rollback(io, model, values.to);
    case 'retract':
      return retract(io, model, values);
    case 'quarantine':
      return showQuarantine(io, model, values.retry);
    default:
      return redrive(io, new SQSClient({}), address, values['dry-run']);
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof MillraceError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
