import type { Mutant } from './mutants.ts';

const fold = 'lib/training/fold.ts';
const slice = 'lib/training/batch-slice.ts';

/** Ways to break promotions, rollbacks, retractions and the redrive. */
export const commandMutants: readonly Mutant[] = [
  {
    name: 'skips the catch-up of a batch job',
    edits: [
      {
        file: fold,
        find: '  while (sequence < to && !shouldStop()) {',
        replace: '  while (sequence < to && !shouldStop() && limits.parameters < 0) {',
      },
    ],
  },
  {
    name: "promotes with the batch job's old ledger",
    edits: [
      {
        file: fold,
        find: '  return { ...withParameters(state, parameters), promoted: { job, sequence } };',
        replace:
          '  const ledger = { producers: new Map(), evicted: [], appliedThrough: new Map() };\n  return { ...withParameters(state, parameters), ledger, promoted: { job, sequence } };',
      },
    ],
  },
  {
    name: 'rolls the ledger back with the weights',
    edits: [
      {
        file: fold,
        find: 'export function withParameters(state: State, { tensors, step, seed, statistics }: Parameters): State {\n  return { ...state, tensors,',
        replace:
          'export function withParameters(state: State, { tensors, step, seed, statistics, ...old }: Parameters): State {\n  return { ...state, ledger: (old as State).ledger ?? state.ledger, tensors,',
      },
    ],
  },
  {
    name: 'sends a promotion whose challenger may not be written',
    edits: [
      {
        file: slice,
        find: "  const outcome = await putUntilAnswered(store, key, body, { ifNoneMatch: '*' });\n  if (outcome === undefined) throw",
        replace:
          "  const outcome = await store.put(key, body, { ifNoneMatch: '*' });\n  if (outcome === undefined) throw",
      },
    ],
  },
  {
    name: 'takes a slice that nobody wrote for one that another run wrote',
    edits: [
      {
        file: 'lib/training/lane.ts',
        find: "  if (current?.etag !== etag) return 'lost';",
        replace: "  if (current?.etag !== '') return 'lost';",
      },
    ],
  },
  {
    name: 'promotes weights that had learnt what was retracted',
    edits: [
      {
        file: fold,
        find: "  if (kind !== 'retract') return;",
        replace: "  if (kind !== 'retract' || sequence > 0) return;",
      },
    ],
  },
  {
    name: 'retracts without what arrived meanwhile',
    edits: [
      {
        file: 'lib/training/retract.ts',
        find: '    state: retracted(settleMessages(state, header), header, found.parameters),',
        replace:
          '    state: retracted(settleMessages(state, header), header, await stateAt(ports, model, from - 1)),',
      },
    ],
  },
  {
    name: 'retracts over a rollback or promotion that came in between',
    edits: [
      {
        file: 'lib/training/retract.ts',
        find: '  if (replaced !== undefined) {',
        replace: "  if (replaced !== undefined && job === '') {",
      },
    ],
  },
  {
    name: 'promotes over a rollback',
    edits: [
      {
        file: 'lib/training/promote.ts',
        find: '  if (rollback !== undefined) {',
        replace: "  if (rollback !== undefined && job === '') {",
      },
    ],
  },
  {
    name: 'rolls back to weights that had learnt what was retracted',
    edits: [
      {
        file: 'lib/training/rollback.ts',
        find: '  if (retracted !== undefined) return reject(retracted);',
        replace: "  if (retracted === '') return reject(retracted);",
      },
    ],
  },
  {
    name: 'redrives messages that have no numbers without giving them some',
    edits: [
      {
        file: 'lib/training/redrive.ts',
        find: '...(resends.get(id) ?? asItWas)',
        replace: '...(resends.size < 0 ? resends.get(id) : asItWas)',
      },
    ],
  },
  {
    name: 'gives dead letters new numbers each time',
    edits: [
      {
        file: 'lib/training/redrive.ts',
        find: '.filter((id) => !known.has(id))',
        replace: '.filter((id) => known.size >= 0 || id === undefined)',
      },
    ],
  },
];
