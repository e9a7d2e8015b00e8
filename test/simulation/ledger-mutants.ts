import type { Mutant } from './edit.ts';

const ledger = 'lib/state/ledger.ts';

/** Ways to break what the ledger knows of producers and messages. */
export const ledgerMutants: readonly Mutant[] = [
  {
    name: 'has no ledger',
    edits: [
      {
        file: ledger,
        find: 'export function judge(ledger: Ledger, identity: MessageIdentity, limits: LedgerLimits): Judgement {',
        replace: `export function judge(ledger: Ledger, identity: MessageIdentity, limits: LedgerLimits): Judgement {
          if (identity.by !== undefined) return { verdict: 'new' };`,
      },
    ],
  },
  {
    name: 'has a plain maximum instead of the gaps below it',
    edits: [
      {
        file: ledger,
        find: 'if (seq <= record.highest && !inGaps(record, seq)) return',
        replace: 'if (seq <= record.highest) return',
      },
    ],
  },
  {
    name: 'lets an evicted producer in',
    edits: [
      {
        file: ledger,
        find: '    if (wasEvicted(ledger, producer)) {',
        replace: "    if (wasEvicted(ledger, 'nobody')) {",
      },
    ],
  },
  {
    name: 'passes over other samples under a number that was used',
    edits: [
      {
        file: ledger,
        find: 'if (before === digest || digest === undefined || !isRemembered)',
        replace: "if (before !== '' || digest === undefined || !isRemembered)",
      },
    ],
  },
  {
    name: 'learns late what it had refused for want of room',
    from: 1690,
    edits: [
      {
        file: 'lib/online/judge-message.ts',
        find: 'if (mayBeRefused && (await wasRefused(',
        replace: 'if (mayBeRefused && sequence < 0 && (await wasRefused(',
      },
    ],
  },
];
