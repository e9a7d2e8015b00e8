import { type AddCommand, textOf, textsOf } from './call.ts';
import { patienceOf } from './patience.ts';
import { flag, text, texts } from './program.ts';

/** Declares the commands that look after a stack. */
export function declareStackCommands(add: AddCommand): void {
  add(
    {
      usage: 'doctor',
      summary: 'say whether the stack works: bucket, queues, models, a sample on its way',
      options: [flag('--no-canary', 'send no sample to the model millrace-canary')],
      examples: [['millrace doctor', 'status 1 if something does not work']],
    },
    async ({ io, address, environment, options }) =>
      (await import('./doctor.ts')).doctor(io, address, environment, {
        canary: options.canary !== false,
      }),
  );
  add(
    {
      usage: 'logs',
      summary: "show the functions' warnings and errors",
      options: [
        text('--since <time>', 'ISO 8601 with its zone; a day ago unless given'),
        flag('--all', 'all that they logged'),
      ],
      examples: [
        ['millrace logs', 'of the last day, with model and reason'],
        ['millrace logs --all --since 2026-11-24T12:00Z', 'each delivery and slice'],
      ],
    },
    async ({ io, environment, options: { since, all } }) =>
      (await import('./logs.ts')).logs(io, environment, {
        since: textOf(since),
        all: all === true,
      }),
  );
}

/** Declares the commands that look after models. */
export function declareRepairCommands(add: AddCommand): void {
  add(
    {
      usage: 'verify <model>',
      summary: 'fold the journal again, and compare it with the published state',
      options: [
        flag('--all', 'from the beginning, not from the last kept checkpoint'),
        flag('--side-by-side', "all of it at once, in the stack's functions"),
      ],
      examples: [
        ['millrace verify sales --all', 'status 1 if it differs, or what it published is gone'],
        ['millrace verify sales --side-by-side', 'a journal of millions of entries, in minutes'],
      ],
    },
    async ({ io, args: [model = ''], options }) => {
      const { verify, verifySideBySide } = await import('./verify.ts');
      if (options.sideBySide === true) return verifySideBySide(io, model);
      return verify(io, model, options.all === true);
    },
  );
  add(
    {
      usage: 'rollback <model>',
      summary: 'bring back the weights of an earlier entry; nothing is deleted',
      options: [
        text('--to <entry|time>', 'an entry, or a time: the last entry by then'),
        flag('--no-wait', 'do not wait until it is done'),
      ],
      examples: [
        ['millrace rollback sales --to 2026-11-24T12:00Z', 'asks first'],
        ['millrace rollback sales --to 41 --dry-run', 'only says what it would do'],
      ],
      asks: true,
    },
    async ({ io, args: [model = ''], options }) =>
      (await import('./rollback.ts')).rollback(io, model, textOf(options.to), patienceOf(options)),
  );
  add(
    {
      usage: 'retract <model>',
      summary: 'unlearn samples: fold again without them, then catch up',
      options: [
        text('--message <id>', "SQS' id, or <producer>:<seq>"),
        text('--samples <file>', 'a file of rows or samples, as they were sent'),
        text(
          '--id <column>',
          'with --samples: the rows are labels that came later, under these ids',
        ),
        text('--from <time>', 'with --to: all that was learnt between them'),
        text('--to <time>', 'with --from'),
        flag('--no-wait', 'do not wait until it is done'),
      ],
      examples: [
        ['millrace retract sales --message till-17:2', 'one message'],
        ['millrace retract sales --samples wrong.jsonl', 'these samples, wherever they are'],
      ],
      asks: true,
    },
    async ({ io, args: [model = ''], options }) => {
      const { message, samples, id, from, to } = options;
      const chosen = {
        message: textOf(message),
        samples: textOf(samples),
        idColumn: textOf(id),
        from: textOf(from),
        to: textOf(to),
      };
      return (await import('./retract.ts')).retract(io, model, chosen, patienceOf(options));
    },
  );
}

/** Declares the commands that send again what was refused, or died. */
export function declareResendCommands(add: AddCommand): void {
  add(
    {
      usage: 'quarantine <model>',
      summary: 'list refused samples with their reasons',
      options: [flag('--retry', 'send them again')],
      examples: [['millrace quarantine sales --retry', 'each once, however often you call it']],
      asks: true,
    },
    async ({ io, args: [model = ''], options }) =>
      (await import('./quarantine.ts')).showQuarantine(io, model, options.retry === true),
  );
  add(
    {
      usage: 'redrive',
      summary: 'send dead letters back to their queues',
      options: [
        texts('--drop <id>', 'remove the letter of this message id for good, and send none'),
      ],
      examples: [['millrace redrive --dry-run', 'shows the first of them']],
      asks: true,
    },
    async ({ io, address, environment, options }) =>
      (await import('./redrive.ts')).redriveStack(io, address, environment, textsOf(options.drop)),
  );
}
