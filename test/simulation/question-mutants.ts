import type { Mutant } from './edit.ts';

const asked = 'lib/journal/asked.ts';
const sender = 'lib/online/send-defaults.ts';
const quarantine = 'lib/journal/quarantine.ts';

/** Ways to break what is promised of questions, their labels and their defaults. */
export const questionMutants: readonly Mutant[] = [
  {
    name: 'takes a label again',
    edits: [
      {
        file: asked,
        find: 'if (before !== undefined && (isDefault || !before.isDefault))',
        replace: 'if (before !== undefined && isDefault)',
      },
    ],
  },
  {
    name: 'learns two labels of an id in one entry',
    from: 45,
    edits: [
      {
        file: 'lib/online/decide-entry.ts',
        find: 'if (before !== undefined && (isDefault || !before.isDefault))',
        replace: "if (before !== undefined && id === '')",
      },
    ],
  },
  {
    name: 'forgets the entry of a default that a label overrules',
    from: 170,
    edits: [
      {
        file: asked,
        find: 'if (entry >= sequence || before !== undefined) claims.push(entry);',
        replace: 'if (entry >= sequence) claims.push(entry);',
      },
    ],
  },
  {
    name: 'claims an id without writing it down',
    edits: [
      {
        file: asked,
        find: 'if (claims.includes(sequence)) return found;',
        replace: 'if (claims.length >= 0) return found;',
      },
    ],
  },
  {
    name: 'removes what is due before it is sent',
    from: 1480,
    edits: [
      {
        file: sender,
        find: 'if (exists && labels.length > 0) {',
        replace: `for await (const _ of eachInOrder(limits.readsAtOnce, done, remove));
          if (exists && labels.length > 0) {`,
      },
    ],
  },
  {
    name: 'keeps only what the last writer of an entry found',
    from: 400,
    edits: [
      {
        file: quarantine,
        find: 'return before === undefined ? own : evidenceBody(withOthers(parsed, before));',
        replace: 'return before === undefined || parsed.nonces ? own : own;',
      },
    ],
  },
];
