import * as z from 'zod';

/**
 * The rules that a declaration of today gets. Later rules never change the bits of a model that
 * exists:
 *
 * 1. The labels of a regression stay float64 until they are standardised.
 * 2. Rows of a table that a minibatch does not touch keep weights and slots, and small networks
 *    train on wasm.
 * 3. The expert `prior` knows the mean of labels that are not standardised.
 * 4. What experts know of labels, and how they are judged, is weighted as samples are, and they
 *    know the labels of a job's rows.
 * 5. The state knows what was earned lately.
 * 6. It knows how predictions turned out.
 * 7. Networks of convolutions, pools and gelu train on wasm, and experts that predict a quantile
 *    are judged by its loss.
 * 8. Numbers out of all proportion, and weights above a million, are refused.
 * 9. The state knows how the labels alone and the last label turned out, too.
 * 10. Experts that have been worse than the labels' mean in the long run count less, and whole
 *     numbers beyond 2^53 are no values of a category, nor classes, unless they are texts.
 * 11. A number that is missing counts in no mean, variance or spread: where its mean stands for it,
 *     it is that once it is scaled. The state knows the order of predictions of several classes.
 *     Experts that hardly count have no say in an answer, and a message tells them apart sooner.
 * 12. A message tells experts apart sooner still.
 * 13. A decimal comma is one in numbers alone: categories, classes and texts have it as it stands.
 * 14. What is known by second order of numbers stays known when their mean and deviation change,
 *     and a long message tells experts apart while it is learnt.
 * 15. Optimizers of large networks run on wasm, behind ONNX Runtime's gradients. A long message
 *     tells experts apart before it is learnt, too, and by values that it brought itself; experts
 *     of second order keep what they predict where drift is found, and forget a number out of all
 *     proportion to those before.
 * 16. A number or a label that varies by rounding alone has not varied, and no number is further
 *     than a hundred deviations from its mean for a network that learns alone (but for what is
 *     scaled by its spread). A softmax or sigmoid at the end of a topology is found in whatever
 *     layer it is.
 * 17. Networks with large matrices train on wasm, too, where minibatches are small.
 * 18. Before its first label, the expert `lastLabel` of a regression counts as the worst.
 * 19. Where it has been worse than their mean in the long run it counts less, and a stack learns of
 *     it as much of a message as of a sample. Where a quantile is predicted, the expert `prior` says
 *     that of the latest labels, not their mean, and experts are told apart more slowly.
 * 20. How many samples are predicted at a time changes no bit of what experts learn from them.
 * 21. Experts of second order count most before the first sample, and a message of many samples
 *     that all experts get wrong is no reason to distrust them for long. (The default experts have
 *     one of neighbours since then, too, which any spec may list.) A number that float32 has is
 *     told by its shortest decimal there, where it is a value of a category.
 * 22. Where an expert makes more of a sample than a step of descent, classes weigh in answers and
 *     not in what is learnt, unless a job draws rows by them. Experts of second order are as sure
 *     of rare classes as those are, and expect more of the words of a text, and less of the numbers
 *     of a time. Trees tell numbers apart more finely, at cuts where no whole number is, and follow
 *     labels of any unit.
 * 23. Experts of second order take the numbers of a long text for independent, and expect less of
 *     the words of any in a regression; and trees do not look at them.
 */
export const newestRevision = 23;

/** Of a spec as it is stored; absent in models of releases before 0.4. */
export const revisionSchema = z
  .int()
  .min(1)
  .max(newestRevision)
  .optional()
  .describe('the rules by which samples become numbers; filled in by a declaration');
