import { commandMutants } from './command-mutants.ts';
import type { Mutant } from './edit.ts';
import { ledgerMutants } from './ledger-mutants.ts';
import { questionMutants } from './question-mutants.ts';
import { specMutants } from './spec-mutants.ts';

const online = 'lib/online/update-model.ts';
const start = 'lib/online/start-from.ts';
const decide = 'lib/online/decide-entry.ts';
const journal = 'lib/journal/commit.ts';
const publish = 'lib/fold/checkpoints.ts';
const retry = 'lib/operations/retry.ts';

/** Each breaks a promise that the simulator must see broken. */
export const mutants: readonly Mutant[] = [
  {
    name: 'acknowledges before the commit',
    edits: [
      {
        file: online,
        find: '    const committed = await commitEntry(ports, change.entry);',
        replace: `settled += change.settled;
          const committed = await commitEntry(ports, change.entry);`,
      },
      {
        file: online,
        find: `settled += change.settled;
          entries.push`,
        replace: '    entries.push',
      },
    ],
  },
  {
    name: 'publishes before the commit',
    from: 240,
    edits: [
      {
        file: online,
        find: '    const committed = await commitEntry(ports, change.entry);',
        replace: `await publish(ports, model, change.state, { ...start, hasCommitted: true, hasReplaced: true });
          const committed = await commitEntry(ports, change.entry);`,
      },
    ],
  },
  {
    name: 'commits without If-None-Match',
    edits: [
      {
        file: journal,
        find: `encodeEntry(entry), {
          ifNoneMatch: '*',
          });`,
        replace: 'encodeEntry(entry), undefined as never);',
      },
    ],
  },
  {
    name: 'takes a timeout for success',
    edits: [
      {
        file: 'lib/bucket/conditional-puts.ts',
        find: "      if (!isOfKind(error, 'unavailable')) throw error;",
        replace: "      if (error instanceof Error) return { ok: true, etag: '' };",
      },
    ],
  },
  {
    name: 'takes 412 for its own entry without looking for its nonce',
    from: 2148,
    edits: [
      {
        file: journal,
        find: '  found?.header.nonce === nonce ?',
        replace: "  found !== undefined && nonce !== '' ?",
      },
    ],
  },
  {
    name: 'applies its messages again after 412, without asking the ledger',
    edits: [
      {
        file: online,
        find: '    settled += countSettled(ports, state, messages.slice(settled));',
        replace:
          '    if (lostCommits === 0) settled += countSettled(ports, state, messages.slice(settled));',
      },
      { file: decide, find: `if (judgement.verdict === 'settled') continue;`, replace: '' },
      {
        file: 'lib/journal/settle-entry.ts',
        find: "verdict !== 'settled' || message.outcome === 'rejected',",
        replace: "verdict !== 'settled' || message.id !== '',",
      },
    ],
  },
  {
    name: 'keeps the ledger outside the state',
    edits: [
      {
        file: 'lib/state/checkpoint-file.ts',
        find: '      ledger: ledgerFromJson(fields.ledger, fields.sequence),',
        replace:
          '      ledger: ledgerFromJson(\'{"producers":[],"evicted":[],"appliedThrough":[]}\', fields.sequence),',
      },
    ],
  },
  {
    name: 'trusts its cache after 412',
    from: 14,
    edits: [
      {
        file: online,
        find: 'if (!isCurrent) state = await readForward(',
        replace: 'if (!isCurrent && cached === undefined) state = await readForward(',
      },
      {
        file: start,
        find: 'return { ...cached, model, state, loaded,',
        replace: 'return { ...cached, loaded,',
      },
    ],
  },
  {
    name: 'deletes journal entries after an hour',
    edits: [
      {
        file: 'test/simulation/cloud.ts',
        find: '      const outcome = putInto(bucket, key, body, condition);',
        replace: `const outcome = putInto(bucket, key, body, condition);
          if (key.includes('/journal/')) timeline.after(3_600_000, () => bucket.remove(key));`,
      },
    ],
  },
  {
    name: 'writes quarantine records after the acknowledgement',
    edits: [
      {
        file: decide,
        find: 'await quarantine(ports, model.name,',
        replace: `// The record is written when it is written.
          const later: typeof quarantine = async (...record) =>
          void quarantine(...record).catch(() => undefined);
          await later(ports, model.name,`,
      },
    ],
  },
  {
    name: 'cuts minibatches by deliveries',
    edits: [
      {
        file: decide,
        find: `let next = state;
          let settled = 0;`,
        replace: `(globalThis as { delivered?: number }).delivered = messages.length;
          let next = state;
          let settled = 0;`,
      },
      {
        file: 'lib/model/learn.ts',
        find: 'if (fresh === undefined) return { rate, schedule, minibatch };',
        replace: `if (fresh === undefined) {
          const { delivered = 1 } = globalThis as { delivered?: number };
          return { rate, schedule, minibatch: minibatch * delivered };
        }`,
      },
    ],
  },
  {
    name: 'acknowledges what it had no time for',
    edits: [
      {
        file: online,
        find: '  return { settled, hasAdvanced,',
        replace: '  return { settled: messages.length, hasAdvanced,',
      },
    ],
  },
  {
    name: 'publishes over whatever is there',
    edits: [
      {
        file: publish,
        find: 'await putOverOlder(ports, key, body, { etag, stays });',
        replace: '(await stays(body)) && (await ports.store.put(key, body)) ? etag : undefined;',
      },
    ],
  },
  {
    name: 'writes over a quarantine record that its entry confirms',
    from: 10_100,
    edits: [
      {
        file: 'lib/journal/quarantine.ts',
        find: `(refusal.sequence ?? 0)) return true;
          return (await confirmed(store, model, record)) !== undefined;`,
        replace: '(refusal.sequence ?? 0)) return true; return false;',
      },
    ],
  },
  {
    name: 'sends refused messages again by their ids, not by their numbers',
    from: 1345,
    edits: [
      {
        file: retry,
        find: '[names.get(resend.message) ?? resend.message, resend]',
        replace: '[resend.message, resend]',
      },
      { file: retry, find: 'resends.get(nameOf(record))', replace: 'resends.get(record.message)' },
      {
        file: retry,
        find: '!toNumber.has(nameOf(record))) toNumber.set(nameOf(record), message)',
        replace: '!toNumber.has(message)) toNumber.set(message, message)',
      },
    ],
  },
  {
    name: 'forgets the body of a message that it refuses as a whole',
    edits: [
      {
        file: decide,
        find: '...(refused.some(({ index }) => index < 0) ? { body } : {}),',
        replace: '...(refused.length < 0 ? { body } : {}),',
      },
    ],
  },
  {
    name: 'believes a stored state that the journal does not confirm',
    from: 9,
    edits: [
      {
        file: publish,
        find: "if (header === undefined) return passOver('the journal does not confirm it');",
        replace: 'if (header === undefined) return state;',
      },
    ],
  },
  {
    name: 'stops at a damaged state instead of folding the journal',
    from: 14,
    edits: [
      {
        file: publish,
        find: "if (isOfKind(error, 'corrupt')) return passOver(error.message);",
        replace: "if (isOfKind(error, 'invalid')) return passOver(error.message);",
      },
    ],
  },
  ...ledgerMutants,
  ...commandMutants,
  ...specMutants,
  ...questionMutants,
];
