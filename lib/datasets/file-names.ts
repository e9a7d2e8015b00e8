/** Whether a file of a dataset has a name, in which `*` stands for any characters. */
export function fileNamed(name: string): (key: string) => boolean {
  const [first = '', ...parts] = name.split('*');
  const last = parts.pop();
  return (key) => {
    const file = key.replace(/^datasets\/[^/]+\//, '');
    if (last === undefined) return file === first;
    if (file.length < first.length + last.length) return false;
    if (!file.startsWith(first) || !file.endsWith(last)) return false;
    // Each part as early as it comes: no later place leaves more room for the others.
    const end = file.length - last.length;
    let at = first.length;
    for (const part of parts) {
      const found = file.indexOf(part, at);
      if (found < 0 || found + part.length > end) return false;
      at = found + part.length;
    }
    return true;
  };
}

/** How the names of IDX files end: those of images, then those of their labels. */
export const idxEndings = ['idx3-ubyte', 'idx1-ubyte'].flatMap((ending) =>
  (['-', '.'] as const).flatMap((first) => [`${first}${ending}`, `${first}${ending}.gz`] as const),
);

const imagesEnding = /(images)([-.])(idx)3(-ubyte)(\.gz)?$/i;

/**
 * The names that the file of labels may have which belongs to one of images, where both are IDX:
 * that of the same packing first.
 */
export function labelsOf(name: string): readonly string[] {
  const [, images = '', between = '', idx = '', type = '', packing] = imagesEnding.exec(name) ?? [];
  if (images === '') return [];
  const start = name.slice(0, name.search(imagesEnding));
  const labels = `${start}${asCased('labels', images)}${between}${idx}1${type}`;
  return packing === undefined ? [labels, `${labels}.gz`] : [`${labels}${packing}`, labels];
}

/** A word in the letters that another has: small, capital, or with a capital first. */
function asCased(word: string, like: string): string {
  if (like === like.toUpperCase()) return word.toUpperCase();
  return like[0] === like[0]?.toUpperCase() ? `${word[0]?.toUpperCase()}${word.slice(1)}` : word;
}
