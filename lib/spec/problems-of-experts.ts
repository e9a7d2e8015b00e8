import { classCount, outputCount } from '../features/task.ts';
import { limits } from '../limits.ts';
import { isOfSecondOrder, type Learners, listExperts } from './default-experts.ts';
import { derivedCounts } from './derived-numbers.ts';
import { expertLimits } from './expert-limits.ts';
import { type Learnt, sizesOf, type TakenAfter } from './expert-sizes.ts';
import {
  type Expert,
  isNetwork,
  isOfNeighbours,
  isOfTrees,
  isStack,
  predictsBy,
} from './experts-schema.ts';

/** Why a spec cannot have the experts that it names. */
export function problemsOfExperts({
  network,
  optimizer,
  online: { minibatch, replay, ...online },
  ...declared
}: Learnt & {
  readonly online: Learners & { readonly minibatch: number };
  readonly network: TakenAfter;
  readonly optimizer: { readonly type: string };
}): string[] {
  const problems: string[] = [];
  const learnt = { ...declared, network };
  const { label } = learnt;
  const { experts, replay: needed } = listExperts(learnt, { replay, ...online });
  const ratio = needed?.ratio ?? 0;
  if (ratio > 0 && minibatch * (1 + ratio) > limits.rehearsedRows) {
    problems.push(
      `a minibatch with its replayed samples has at most ${limits.rehearsedRows} ` +
        `(found ${minibatch} and ${minibatch * ratio} more)`,
    );
  }
  if (experts === undefined) return problems;
  const outputs = experts.length * outputCount(label);
  if (outputs > expertLimits.expertOutputs)
    problems.push(
      `experts times ${label.outputs ? 'outputs' : 'classes'} may be ${expertLimits.expertOutputs} at most ` +
        `(found ${outputs})`,
    );
  if ('topology' in network)
    problems.push(
      'experts are networks of hidden layers, and this one has a topology; leave online.experts out',
    );
  if (online.experts === 'default') {
    if (optimizer.type !== 'adagrad')
      problems.push(
        `the default experts learn by adagrad (found ${optimizer.type}); leave the optimizer out, ` +
          'or list experts with rates of their own',
      );
  }
  const classes = classCount(label) ?? 0;
  const isOfLast = (each: Expert) => predictsBy(each, 'lastLabel');
  if (classes > expertLimits.lastLabelClasses && experts.some(isOfLast)) {
    problems.push(
      `an expert predicts by the lastLabel of ${expertLimits.lastLabelClasses} classes at most ` +
        `(found ${classes}); leave it out`,
    );
  }
  return [
    ...problems,
    ...problemsOfSecondOrder(learnt, network, experts),
    ...problemsOfNeighbours(learnt, experts),
    ...problemsOfTrees(learnt, experts),
  ];
}

/** What may be wrong, and whether it is. */
type Problem = readonly [isWrong: boolean, problem: string];

function thoseThatAre(problems: readonly Problem[]): string[] {
  return problems.flatMap(([isWrong, problem]) => (isWrong ? [problem] : []));
}

/** Why a spec cannot have the experts of neighbours. */
function problemsOfNeighbours(learnt: Learnt, experts: readonly Expert[]): string[] {
  const windows = experts.filter(isOfNeighbours).map(({ window }) => window);
  if (windows.length === 0) return [];
  const { numbers, isOfMeans } = sizesOf(learnt);
  const kept = numbers * windows.reduce((sum, window) => sum + window, 0);
  const problems: readonly Problem[] = [
    [
      !isOfMeans,
      'an expert of neighbours learns means and shares, not a quantile or huber; leave it out',
    ],
    [numbers === 0, 'an expert of neighbours compares numbers, and there are none; leave it out'],
    [
      kept > expertLimits.keptCells,
      `experts of neighbours keep ${expertLimits.keptCells} numbers at most (found ${kept}: ` +
        `${numbers} of each sample); lower a window`,
    ],
  ];
  return thoseThatAre(problems);
}

/** Why a spec cannot have the experts of trees. */
function problemsOfTrees(learnt: Learnt, experts: readonly Expert[]): string[] {
  const own = experts.filter(isOfTrees);
  if (own.length === 0) return [];
  const { treeNumbers, treeCategories, outputs, isOfMeans, isOfQuantile } = sizesOf(learnt);
  const columns = treeNumbers + treeCategories;
  const kept = columns * own.reduce((sum, { window }) => sum + window, 0);
  const leaves = outputs * own.reduce((sum, each) => sum + each.trees * each.leaves, 0);
  const problems: readonly Problem[] = [
    [
      !isOfMeans && !isOfQuantile,
      'an expert of trees learns means, shares and quantiles, not huber; leave it out',
    ],
    [
      columns === 0,
      'an expert of trees looks at numbers but those of texts, and at categories of at most ' +
        `${expertLimits.treeCategoryRows} values that do not expire; there are none, so leave it out`,
    ],
    [
      kept > expertLimits.keptCells,
      `experts of trees keep ${expertLimits.keptCells} values at most (found ${kept}: ${columns} of ` +
        'each sample); lower a window',
    ],
    [
      leaves > expertLimits.treeLeaves,
      `experts of trees say ${expertLimits.treeLeaves} numbers at most, those of each output in each ` +
        `leaf (found ${leaves}); lower trees or leaves`,
    ],
  ];
  return thoseThatAre(problems);
}

/** Why a spec cannot have the experts that learn by second order. */
function problemsOfSecondOrder(
  learnt: Learnt,
  network: TakenAfter,
  experts: readonly Expert[],
): string[] {
  if (!experts.some(isOfSecondOrder)) return [];
  const { numbers, sparse, tableRows, isOfMeans } = sizesOf(learnt);
  const seconds = experts.filter(isNetwork).filter(({ secondOrder }) => secondOrder);
  const widths = seconds.map((expert) => {
    const { periodic, pieces, products } = derivedCounts({ ...network, ...expert }, learnt);
    return numbers - sparse + periodic + pieces + products;
  });
  const widest = widths.reduce((a, b) => Math.max(a, b), 0);
  const problems: readonly Problem[] = [
    [experts.filter(isStack).length > 1, 'one expert stacks the others at most; leave one out'],
    [
      !isOfMeans,
      'experts of secondOrder and a stack learn means and shares, not a quantile or huber; leave ' +
        'them out',
    ],
    [
      seconds.some(({ hidden = network.hidden }) => hidden === undefined || hidden.length > 0),
      'an expert of secondOrder is linear; say "hidden": []',
    ],
    [
      seconds.some(({ rate, replay }) => rate !== undefined || replay),
      'an expert of secondOrder learns each sample once, by no rate; leave rate and replay out',
    ],
    [
      widest > expertLimits.secondOrderInputs,
      `an expert of secondOrder takes ${expertLimits.secondOrderInputs} numbers, Fourier units, pieces and ` +
        `products at most, beside long texts (found ${widest}); leave secondOrder out, or say ` +
        '"experts": "default"',
    ],
    [
      seconds.length > 0 && tableRows > expertLimits.secondOrderRows,
      `an expert of secondOrder takes ${expertLimits.secondOrderRows} rows of categories at most (found ` +
        `${tableRows}); leave secondOrder out`,
    ],
  ];
  return thoseThatAre(problems);
}
