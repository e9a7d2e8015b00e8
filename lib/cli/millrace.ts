import { createInterface } from 'node:readline/promises';
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { SQSClient } from '@aws-sdk/client-sqs';
import { invalid, MillraceError } from '../errors.ts';
import {
  addressFromEnvironment,
  awsPorts,
  clientSettings,
  isCommandSender,
  type StackAddress,
} from '../ports/aws.ts';
import { consentOf, type Io } from './io.ts';
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
  redrive                              dead letters back to their queues

A time is ISO 8601 with its zone: 2026-11-24T12:00Z. What changes a model says what it will do, and
asks: --yes does it without asking, --dry-run says it and stops.

The stack is the one of MILLRACE_BUCKET and the MILLRACE_…_QUEUE_URL of SAMPLES, JOBS and COMMANDS.
`;

type Options = NonNullable<ParseArgsConfig['options']>;
type Values<Chosen extends Options> = ReturnType<typeof parseArgs<{ options: Chosen }>>['values'];

/** What a command is called with, beside its own options. */
type Call<Chosen extends Options> = {
  readonly io: Io;
  /** Empty for a command that names no model. */
  readonly model: string;
  readonly address: StackAddress;
  readonly values: Values<Chosen>;
};

/** A command: its own options, and what it does; the answer is the exit status. */
type CliCommand<Chosen extends Options = Options> = {
  readonly namesModel: boolean;
  readonly options: Chosen;
  readonly run: (call: Call<Chosen>) => Promise<number>;
};

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
const consent = { yes: flag, 'dry-run': flag };
const common = { help: flag, ...consent };

/** Keeps the types of a command's own options from the table, where all are alike. */
function command<const Chosen extends Options>(own: CliCommand<Chosen>): CliCommand {
  return own as unknown as CliCommand;
}

const commands: Readonly<Record<string, CliCommand>> = {
  verify: command({
    namesModel: true,
    options: { all: flag },
    run: ({ io, model, values }) => verify(io, model, values.all),
  }),
  rollback: command({
    namesModel: true,
    options: { to: text, ...consent },
    run: ({ io, model, values }) => rollback(io, model, values.to),
  }),
  retract: command({
    namesModel: true,
    options: { message: text, samples: text, from: text, to: text, ...consent },
    run: ({ io, model, values }) => retract(io, model, values),
  }),
  quarantine: command({
    namesModel: true,
    options: { retry: flag, ...consent },
    run: ({ io, model, values }) => showQuarantine(io, model, values.retry),
  }),
  redrive: command({
    namesModel: false,
    options: consent,
    run: ({ io, address }) =>
      redrive(io, new SQSClient(clientSettings), address, isCommandSender(process.env)),
  }),
};

/** Runs one command. The answer is the exit status; 1 means that a verification failed. */
async function main([name, ...rest]: readonly string[]): Promise<number> {
  if (name === undefined || name === '--help') {
    process.stdout.write(usage);
    return name === undefined ? 2 : 0;
  }
  const own = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (own === undefined) {
    throw invalid(`millrace has no command ${name}; it has ${Object.keys(commands).join(', ')}`);
  }
  const { values, model, help, isSure, isDryRun } = readOwnArguments(name, own, rest);
  if (help) {
    process.stdout.write(usage);
    return 0;
  }
  const address = addressFromEnvironment(process.env);
  const print: Io['print'] = (line) => void process.stdout.write(`${line}\n`);
  const io: Io = {
    ports: awsPorts(address, { ...console, info: () => undefined }),
    print,
    mayChange: consentOf(print, {
      isDryRun,
      isSure,
      ask: process.stdin.isTTY ? ask : undefined,
    }),
    ...(process.stderr.isTTY ? { progress: createProgress(process.stderr, Date.now) } : {}),
  };
  return own.run({ io, model, address, values });
}

/**
 * The options of a command, and the model that it names. @throws MillraceError kind `invalid` for
 * options that are not its own, and surplus arguments
 */
function readOwnArguments(name: string, { namesModel, options }: CliCommand, args: string[]) {
  try {
    const { values, positionals, tokens } = parseArgs({
      args,
      tokens: true,
      allowPositionals: true,
      options: { ...options, help: flag },
    });
    const named = tokens.flatMap((token) => (token.kind === 'option' ? [token.name] : []));
    const twice = named.find((option, place) => named.indexOf(option) !== place);
    if (twice !== undefined) throw invalid(`--${twice} is given twice`);
    const [model = '', ...surplus] = namesModel ? positionals : ['', ...positionals];
    if (surplus.length > 0) throw invalid(`unknown argument ${surplus.join(' ')}`);
    if (namesModel && model === '' && !values.help) throw invalid('name the model');
    const given: Partial<Values<typeof common>> = values;
    const { help = false, yes = false, 'dry-run': isDryRun = false } = given;
    return { values, model, help, isSure: yes, isDryRun };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : cause;
    const allowed = Object.keys(options).map((option) => `--${option}`);
    throw invalid(`millrace ${name}: ${reason} (its options: ${allowed.join(', ')})`, cause);
  }
}

async function ask(question: string): Promise<string> {
  const reader = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await reader.question(question);
  } catch (error) {
    // Ctrl-C or Ctrl-D: no answer is no.
    if (error instanceof Error && error.name === 'AbortError') return '';
    throw error;
  } finally {
    reader.close();
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof MillraceError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}
