import type { Mutant } from './edit.ts';

const catchUp = 'lib/fold/catch-up.ts';

/** Ways to break promotions, rollbacks, retractions and the redrive. */
export const commandMutants: readonly Mutant[] = [
  {
    name: 'skips the catch-up of a batch job',
    from: 20,
    edits: [
      {
        file: catchUp,
        find: `if (shouldStop?.()) break;
          const { header } = entry;`,
        replace: `if (shouldStop?.() || entry.samples.length >= 0) break;
          const { header } = entry;`,
      },
    ],
  },
  {
    name: "promotes with the batch job's old ledger",
    edits: [
      {
        file: 'lib/commands/promote.ts',
        find: 'return { ...withParameters(state, ofStream(model, state, parameters)),',
        replace: `const ledger = { producers: new Map(), evicted: [], appliedThrough: new Map(), redriven: [], at: 0 };
          return { ...withParameters(state, ofStream(model, state, parameters)), ledger,`,
      },
    ],
  },
  {
    name: 'rolls the ledger back with the weights',
    edits: [
      {
        file: 'lib/commands/command.ts',
        find: 'return { ...state, ...moved, ...parametersOf(parameters) };',
        replace: `const { ledger = state.ledger } = parameters as Partial<State>;
          return { ...state, ...moved, ledger, ...parametersOf(parameters) };`,
      },
    ],
  },
  {
    name: 'sends a promotion whose challenger may not be written',
    from: 1950,
    edits: [
      {
        file: 'lib/fold/challenger.ts',
        find: `const outcome = await putUntilAnswered(ports, key, body, { ifNoneMatch: '*' });
          if (outcome === undefined) throw`,
        replace: `const outcome = await ports.store.put(key, body, { ifNoneMatch: '*' });
          if (outcome === undefined) throw`,
      },
    ],
  },
  {
    name: 'acknowledges a promotion without reporting its end',
    edits: [
      {
        file: 'lib/online/update-model.ts',
        find: 'await reportPromotions(ports, name, messages.slice(0, settled), entries);',
        replace: 'void reportPromotions;',
      },
    ],
  },
  {
    name: 'takes a slice that nobody wrote for one that another run wrote',
    from: 1490,
    edits: [
      {
        file: 'lib/jobs/lane.ts',
        find: 'if (current?.etag !== etag) return',
        replace: "if (current?.etag !== '') return",
      },
    ],
  },
  {
    name: 'promotes weights that had learnt what was retracted',
    from: 366,
    edits: [
      {
        file: catchUp,
        find: "if (weights === 'retracted') return",
        replace: "if (weights === 'retracted' && from < 0) return",
      },
    ],
  },
  {
    name: 'retracts without what arrived meanwhile',
    edits: [
      {
        file: 'lib/fold/fold.ts',
        find: 'challenger: (file, to, by = model) => caughtUpChallenger(ports, by, file, { to, shouldStop }),',
        replace: `challenger: async (file, to, by = model) => {
          const found = await caughtUpChallenger(ports, by, file, { to, shouldStop });
          const bare = file.job.startsWith('retract-') ? await readChallenger(ports.store, model, file) : undefined;
          return found.ok ? { ...found, parameters: bare?.parameters ?? found.parameters } : found;
          },`,
      },
      {
        file: 'lib/fold/fold.ts',
        find: "import { caughtUpChallenger } from './challenger.ts';",
        replace: "import { caughtUpChallenger, readChallenger } from './challenger.ts';",
      },
    ],
  },
  {
    name: 'keeps a promotion that had learnt what is retracted',
    from: 110,
    edits: [
      {
        file: 'lib/operations/plan-retraction.ts',
        find: 'if (await hasLearnt(journal, header, without)) {',
        replace: 'if ((await hasLearnt(journal, header, without)) && after < 0) {',
      },
    ],
  },
  {
    name: 'leaves out jobs that had learnt nothing of what is retracted',
    from: 663,
    edits: [
      {
        file: 'lib/operations/plan-retraction.ts',
        find: 'if (await hasLearnt(journal, header, without)) {',
        replace: 'if ((await hasLearnt(journal, header, without)) || after > 0) {',
      },
    ],
  },
  {
    name: 'retracts over a rollback or promotion that came in between',
    from: 60,
    edits: [
      {
        file: 'lib/commands/retract.ts',
        find: '  if (replaced !== undefined) {',
        replace: "  if (replaced !== undefined && job === '') {",
      },
    ],
  },
  {
    name: 'promotes over a rollback',
    from: 58,
    edits: [
      {
        file: 'lib/commands/promote.ts',
        find: '  if (standing !== undefined) {',
        replace: "  if (standing !== undefined && job === '') {",
      },
    ],
  },
  {
    name: 'rolls back to weights that had learnt what was retracted',
    edits: [
      {
        file: 'lib/commands/rollback.ts',
        find: 'if (retraction === undefined) return accepted;',
        replace: 'if (retraction === undefined || to >= 0) return accepted;',
      },
    ],
  },
  {
    name: 'redrives messages that have no numbers without giving them some',
    from: 110,
    edits: [
      {
        file: 'lib/operations/redrive.ts',
        find: 'resends.get(id) ?? { body, deduplication: id }',
        replace: '{ body, deduplication: id }',
      },
    ],
  },
  {
    name: 'forgets which dead letters were settled under numbers',
    from: 318,
    edits: [
      {
        file: 'lib/state/ledger.ts',
        find: '  return redriven.length > 0 && redriven.includes(',
        replace: '  return redriven.length < 0 && redriven.includes(',
      },
    ],
  },
  {
    name: 'learns a redriven dead letter that a delivery of it had learnt meanwhile',
    from: 7_520,
    edits: [
      {
        file: 'lib/online/judge-message.ts',
        find: '    if (messages.some(isLetter)) return',
        replace: '    if (messages.length < 0) return',
      },
    ],
  },
  {
    name: 'gives dead letters new numbers each time',
    from: 65,
    edits: [
      {
        file: 'lib/operations/redrive.ts',
        find: '.filter((id) => !known.has(id))',
        replace: '.filter((id) => known.size >= 0 || id === undefined)',
      },
    ],
  },
  {
    name: 'takes commands from whoever may send samples',
    edits: [
      {
        file: 'lib/online/messages.ts',
        find: "if (message.isOfProducer && command.kind !== 'samples') {",
        replace: "if (message.isOfProducer && command.kind === 'samples' && message.id === '') {",
      },
    ],
  },
  {
    name: 'takes weights that are on their way for those that have caught up',
    from: 10_930,
    edits: [
      {
        file: 'lib/fold/challenger.ts',
        find: 'if (reached.caughtUp === to) return',
        replace: 'if (reached.caughtUp >= 0) return',
      },
    ],
  },
  {
    name: 'rolls back to the entry that there was time for',
    from: 7020,
    edits: [
      {
        file: 'lib/fold/fold.ts',
        find: 'if (state.sequence === sequence) return state;',
        replace: 'if (state.sequence <= sequence) return state;',
      },
    ],
  },
  {
    name: 'redrives a dead letter that the journal holds',
    from: 19,
    edits: [
      {
        file: 'lib/operations/redrive.ts',
        find: 'anonymous.has(letter) && history.settled.has(letter.id)',
        replace: "anonymous.has(letter) && history.settled.has('')",
      },
    ],
  },
];
