import type { Mutant } from './edit.ts';

/** Ways to break a change of spec. */
export const specMutants: readonly Mutant[] = [
  {
    name: 'learns nothing again of what another spec had learnt',
    from: 66,
    edits: [
      {
        file: 'lib/fold/catch-up.ts',
        find: 'const again = spec === model.specHash ? relearn : relearnMost;',
        replace:
          'const again = spec === model.specHash ? relearn : async () => start ?? relearnMost;',
      },
    ],
  },
  {
    name: 'changes the spec over other weights that came in between',
    from: 620,
    edits: [
      {
        file: 'lib/commands/spec.ts',
        find: '  if (replaced !== undefined) {',
        replace: "  if (replaced !== undefined && job === '') {",
      },
    ],
  },
  {
    name: 'rolls back to the weights of another spec without that spec',
    from: 290,
    edits: [
      {
        file: 'lib/commands/rollback.ts',
        find: 'if (specHash === state.specHash && specSince === state.specSince) return own;',
        replace: "if (specHash !== '' || specSince === state.specSince) return own;",
      },
    ],
  },
  {
    name: 'goes on with the old spec on a warm machine',
    from: 73,
    edits: [
      {
        file: 'lib/online/update-model.ts',
        find: '({ model, state } = change);',
        replace: '({ state } = change);',
      },
      {
        file: 'lib/online/update-model.ts',
        find: 'model = await modelOfState(ports, model, state);',
        replace: 'void modelOfState;',
      },
    ],
  },
  {
    name: 'retracts as if the spec had never changed',
    from: 540,
    edits: [
      {
        file: 'lib/operations/plan-retraction.ts',
        find: 'const own = await knownModel(ports, model, plan.by ?? entry.header.spec);',
        replace: 'const own = await knownModel(ports, model, entry.header.spec);',
      },
    ],
  },
];
